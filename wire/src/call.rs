//! One invocation: what goes in, and the events that come out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Deployment, Inputs, InvocationId, LogLine, Receipt, Trigger};

/// A header field. Values are bytes on the wire; what is not UTF-8 is read as Latin-1 (RFC 9110
/// section 5.5 calls such bytes opaque).
pub type Header = (String, String);

/// `http` or `https`: how the client reached the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

/// A request without its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// The method, in its exact case.
    pub method: String,
    /// How the client came.
    pub scheme: Scheme,
    /// The protocol's name and version, such as `HTTP/1.1`.
    pub protocol: String,
    /// Host without port, as the client wrote it.
    pub server_name: String,
    /// The port that the client addressed.
    pub server_port: u16,
    /// The prefix of the path that led to the handler (`/~hello`), usually empty; decoded.
    pub script_name: String,
    /// The rest of the path, still percent-encoded, and the query if there is one.
    pub target: String,
    /// Header fields in the order of their arrival, names in lower case.
    pub headers: Vec<Header>,
    /// The client's address.
    pub remote_addr: String,
}

/// One invocation to be done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Its id, given by whoever asks for it.
    pub invocation: InvocationId,
    /// What to run.
    pub deployment: Deployment,
    /// What asked for it.
    pub trigger: Trigger,
    /// The request.
    pub request: RequestHead,
    /// The request's body; `None` where there was none, which is not the same as an empty one.
    #[serde(with = "base64_option")]
    pub body: Option<Bytes>,
    /// Whether to count the instructions of a program of the WASI family, which otherwise are not.
    #[serde(default)]
    pub count_gas: bool,
    /// What clocks and randomness gave a recorded invocation, for a replay of it.
    #[serde(default)]
    pub inputs: Option<Box<Inputs>>,
}

/// What happens during an invocation, in order: at most one `Head`, before every `Body`; `Log` at
/// any time; exactly one `End`, last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The answer begins.
    Head {
        /// Its status, 200 to 599.
        status: u16,
        /// Its header fields.
        headers: Vec<Header>,
    },
    /// A part of the answer's body.
    Body {
        /// The bytes; base64 in JSON.
        #[serde(with = "base64_bytes")]
        bytes: Bytes,
    },
    /// The fields that follow the answer's body (RFC 9110 section 6.5).
    Trailers {
        /// The fields.
        fields: Vec<Header>,
    },
    /// A line was logged.
    Log {
        /// The line.
        line: LogLine,
    },
    /// It is over.
    End {
        /// What it used, and how it ended.
        receipt: Box<Receipt>,
    },
}

pub(crate) mod base64_bytes {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

pub(crate) mod base64_option {
    use super::*;

    pub fn serialize<S: Serializer>(bytes: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| BASE64.encode(bytes)).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| BASE64.decode(text).map(Bytes::from)).transpose().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_json() {
        let event = Event::Body { bytes: Bytes::from_static(&[0, 255, b'\n']) };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(json, r#"{"event":"body","bytes":"AP8K"}"#);
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
