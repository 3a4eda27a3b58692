//! What an invocation used, and how it ended.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Abi, Digest, HandlerId, InvocationId, Timestamp, VersionNumber};

/// Everything that one invocation used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The invocation.
    pub invocation: InvocationId,
    /// Whose run it was; `None` for `wasmcloud run`, which needs no server.
    pub handler: Option<HandlerId>,
    /// Which version ran.
    pub version: VersionNumber,
    /// The module that ran.
    pub digest: Digest,
    /// How it spoke to the host.
    pub abi: Abi,
    /// The executor that ran it: the guest's `WORKER_ID`.
    pub executor: String,
    /// What asked for it.
    pub trigger: Trigger,
    /// The request's method.
    pub method: String,
    /// The request's path without its query, at most 1 KiB of it.
    pub path: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Wall time from the first look at the request to the last byte of the answer, in microseconds.
    pub wall_us: u64,
    /// CPU time of the program and of the host's work for it, in microseconds. That of the Olin family is
    /// told as gas: 0.
    #[serde(default)]
    pub cpu_us: u64,
    /// Weighted instructions executed. The WASI family's are counted only on request: 0 otherwise.
    pub gas: u64,
    /// Largest size of the linear memory, in bytes.
    pub memory_peak_bytes: u64,
    /// Host calls by name and count; those of components by interface, such as `wasi:io/streams`.
    pub host_calls: BTreeMap<String, u64>,
    /// URLs opened, in order, without repetition.
    pub urls: Vec<String>,
    /// What it used of the network.
    #[serde(default)]
    pub outbound: Outbound,
    /// Bytes that the program read from the request's body.
    pub bytes_in: u64,
    /// Bytes that the program wrote to its standard output.
    pub bytes_out: u64,
    /// Log lines kept.
    pub log_lines: u32,
    /// Log lines cut away by the log limit.
    pub log_lines_dropped: u32,
    /// The status of the HTTP answer; `None` when nothing was answered.
    pub status: Option<u16>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What an invocation used of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbound {
    /// Requests and connections, each step of a redirect counted.
    pub requests: u32,
    /// Bytes of requests' bodies, and written to connections.
    pub bytes_sent: u64,
    /// Bytes of answers' bodies, and read from connections.
    pub bytes_received: u64,
    /// URLs that the policy did not let through, in order, without repetition; with
    /// [`PolicyMode::Observe`](crate::PolicyMode) they were opened all the same.
    pub denied: Vec<String>,
}

/// What asked for an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// A request to the handler's own address, whose version the platform chose.
    Edge,
    /// A request to the handler whose client chose the version: by the version's own address, or by the bucket of a
    /// split that it named.
    Chosen,
    /// `wasmcloud invoke`, through the API.
    Invoke,
    /// `wasmcloud run`, on the user's machine.
    Run,
    /// A recorded invocation was run again.
    Replay,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// The program ended by itself with status 0 and a well-formed answer.
    Ok,
    /// The program ended by itself with another status.
    Exit {
        /// The status.
        status: i32,
    },
    /// The program did what WebAssembly forbids.
    Trap {
        /// What it did, and in which function.
        message: String,
    },
    /// A limit was hit.
    Limit {
        /// Which one.
        limit: LimitName,
        /// What was hit, its value, and how to raise it.
        message: String,
    },
    /// The program opened a URL that its policy does not let through, and the policy ends a program for that.
    Denied {
        /// Which URL, why, and how to allow it.
        message: String,
    },
    /// The program's output is no CGI answer.
    BadOutput {
        /// What is wrong with it, quoting the line at fault.
        message: String,
    },
    /// The client went away before the answer was complete.
    Cancelled,
    /// The account that owns the handler was suspended while it ran.
    Suspended,
    /// The executor failed; its own log says why.
    Internal {
        /// A short reason that names no internals.
        message: String,
    },
}

impl Outcome {
    /// The kind as it is written in JSON and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Exit { .. } => "exit",
            Outcome::Trap { .. } => "trap",
            Outcome::Limit { .. } => "limit",
            Outcome::Denied { .. } => "denied",
            Outcome::BadOutput { .. } => "bad_output",
            Outcome::Cancelled => "cancelled",
            Outcome::Suspended => "suspended",
            Outcome::Internal { .. } => "internal",
        }
    }

    /// Whether the program did what it was asked to.
    pub fn is_ok(&self) -> bool {
        matches!(self, Outcome::Ok)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Ok => f.write_str("ok"),
            Outcome::Exit { status } => write!(f, "exited with status {status}"),
            Outcome::Trap { message } => write!(f, "trapped: {message}"),
            Outcome::Limit { message, .. } => f.write_str(message),
            Outcome::Denied { message } => write!(f, "ended by its policy: {message}"),
            Outcome::BadOutput { message } => write!(f, "no CGI answer: {message}"),
            Outcome::Cancelled => f.write_str("cancelled: the client went away"),
            Outcome::Suspended => f.write_str("ended: the account that owns the handler is suspended"),
            Outcome::Internal { message } => write!(f, "the platform failed: {message}"),
        }
    }
}

/// The limits that can end an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// `Limits::gas`.
    Gas,
    /// `Limits::cpu_ms`.
    Cpu,
    /// `Limits::wall_ms`.
    Wall,
    /// `Limits::memory_bytes`.
    Memory,
    /// The stack's 1 MiB.
    Stack,
    /// `Limits::response_bytes`.
    Response,
    /// `Limits::stream_bytes`, of the request's body.
    Request,
    /// [`crate::limits::LOCAL_REDIRECTS_MAX`].
    LocalRedirects,
}

impl LimitName {
    /// The name as it is written in JSON and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitName::Gas => "gas",
            LimitName::Cpu => "cpu",
            LimitName::Wall => "wall",
            LimitName::Memory => "memory",
            LimitName::Stack => "stack",
            LimitName::Response => "response",
            LimitName::Request => "request",
            LimitName::LocalRedirects => "local_redirects",
        }
    }
}
