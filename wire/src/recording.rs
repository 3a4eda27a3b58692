//! A recorded invocation: enough of it to run it again and compare the answers.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::call::base64_option;
use crate::{Abi, Digest, HandlerId, Header, InvocationId, RequestHead, Timestamp, VersionNumber};

/// What of a handler's invocations is recorded. Without one, nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingPolicy {
    /// Methods whose requests are recorded.
    pub methods: Vec<String>,
    /// Names of header fields, in lower case, whose values are not recorded, besides those of every handler:
    /// `authorization`, `cookie`, `set-cookie` and `proxy-authorization`.
    pub redact: Vec<String>,
    /// How many invocations are kept, the newest.
    pub keep: u32,
}

/// Most recordings that a handler may keep.
pub const RECORDINGS_KEPT_MAX: u32 = 1_000;
/// Largest body, of a request or of an answer, that is recorded, in bytes.
pub const RECORDED_BODY_BYTES_MAX: usize = 64 << 10;
/// Most readings of each clock that are recorded.
pub const RECORDED_READINGS_MAX: usize = 1_000;
/// What stands in a recording instead of what is left out of it.
pub const REDACTED: &str = "[redacted]";

impl Default for RecordingPolicy {
    fn default() -> RecordingPolicy {
        RecordingPolicy { methods: vec!["GET".to_owned(), "HEAD".to_owned()], redact: Vec::new(), keep: 100 }
    }
}

/// What clocks and randomness gave an invocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// What the invocation's randomness was made of: 32 bytes in hexadecimal digits.
    pub seed: String,
    /// Readings of the clock that tells the time of day, in nanoseconds since 1970.
    pub wall_ns: Vec<u64>,
    /// Readings of the clock that only goes forward, in nanoseconds.
    pub monotonic_ns: Vec<u64>,
    /// The id that the program saw itself run under (`RUN_ID`).
    #[serde(default)]
    pub run_id: Option<InvocationId>,
    /// The executor that it saw itself run on (`WORKER_ID`).
    #[serde(default)]
    pub worker_id: String,
}

/// One recorded invocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// The invocation.
    pub invocation: InvocationId,
    /// Whose it was.
    pub handler: HandlerId,
    /// Which version ran.
    pub version: VersionNumber,
    /// The module that ran.
    pub digest: Digest,
    /// How it spoke to the host.
    pub abi: Abi,
    /// When it began.
    pub at: Timestamp,
    /// The request, without what is redacted.
    pub request: RequestHead,
    /// Its body; `None` where there was none, or it was too large.
    #[serde(with = "base64_option")]
    pub body: Option<Bytes>,
    /// What clocks and randomness gave it.
    pub inputs: Inputs,
    /// What it answered.
    pub answer: RecordedAnswer,
    /// Weighted instructions executed, where they were counted.
    pub gas: u64,
    /// Wall time, in microseconds.
    pub wall_us: u64,
    /// Why a replay of it may differ whatever the program does, in sentences: something was redacted, too large,
    /// or came from the network.
    #[serde(default)]
    pub gaps: Vec<String>,
}

/// An answer, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAnswer {
    /// Its status; `None` when nothing was answered.
    pub status: Option<u16>,
    /// Its header fields, without what is redacted.
    pub headers: Vec<Header>,
    /// The sha256 of its whole body.
    pub body_digest: Digest,
    /// The size of its whole body.
    pub body_bytes: u64,
    /// How the invocation ended, in a word: [`crate::Outcome::kind`].
    pub outcome: String,
}
