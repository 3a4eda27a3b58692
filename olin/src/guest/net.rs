//! Why something beyond the sandbox could not be had: the error of [`http`](super::http), [`ws`](super::ws) and
//! [`gemini`](super::gemini).

use std::fmt;
use std::io;

use super::resource::Resource;
use crate::abi;

/// Why a URL could not be opened, or what went wrong with it afterwards.
///
/// The ABI tells a program no more than one of five numbers. The handler's log has a line for each of these
/// failures that says more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text is no URL that can be opened so.
    Url {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The handler's policy does not allow the URL, or the operator does not let programs reach that address. The
    /// log says which, and how to allow it.
    Denied {
        /// The URL.
        url: String,
    },
    /// The host has no such scheme.
    Scheme {
        /// The URL.
        url: String,
    },
    /// The host failed at it: the name, the connection, TLS, a limit.
    Failed {
        /// The URL.
        url: String,
        /// What was being done, such as `sending the request`.
        doing: &'static str,
        /// What the host says.
        error: abi::Error,
    },
    /// What came is not what the protocol allows.
    Malformed {
        /// The URL.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url { url, reason } => write!(f, "cannot open {url:?}: {reason}"),
            Error::Denied { url } => {
                write!(f, "{url} may not be opened; the handler's log says why, and how to allow it")
            }
            Error::Scheme { url } => write!(f, "the host has no such scheme as that of {url}"),
            Error::Failed { url, doing, error } => write!(f, "{url}: {doing}: {error}"),
            Error::Malformed { url, reason } => write!(f, "{url} gave a malformed answer: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Failed { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match &error {
            Error::Url { .. } => io::ErrorKind::InvalidInput,
            Error::Denied { .. } => io::ErrorKind::PermissionDenied,
            Error::Scheme { .. } => io::ErrorKind::Unsupported,
            Error::Failed { .. } => io::ErrorKind::Other,
            Error::Malformed { .. } => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

/// Opens a URL of one of these schemes.
pub(crate) fn open(url: &str, schemes: &[&str]) -> Result<Resource, Error> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !scheme.is_some_and(|scheme| schemes.contains(&scheme.as_str())) {
        let reason = match schemes.first() {
            Some(&"http") => "it does not begin with http:// or https://",
            Some(&"ws") => "it does not begin with ws:// or wss://",
            _ => "it does not begin with gemini://",
        };
        return Err(Error::Url { url: url.to_owned(), reason });
    }
    Resource::open(url).map_err(|error| {
        let url = url.to_owned();
        match error {
            abi::Error::PermissionDenied => Error::Denied { url },
            abi::Error::NotFound => Error::Scheme { url },
            abi::Error::InvalidArgument => Error::Url { url, reason: "the host takes it for no URL" },
            error => Error::Failed { url, doing: "opening it", error },
        }
    })
}

/// What went wrong with an open URL.
pub(crate) fn failed(url: &str, doing: &'static str, error: abi::Error) -> Error {
    match error {
        abi::Error::PermissionDenied => Error::Denied { url: url.to_owned() },
        error => Error::Failed { url: url.to_owned(), doing, error },
    }
}

/// An answer that breaks its protocol.
pub(crate) fn malformed(url: &str, reason: impl fmt::Display) -> Error {
    Error::Malformed { url: url.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn each_refusal_has_a_case_of_its_own() {
        let _host = Host::new().deny("https://denied.example/");
        let open = |url| open(url, &["http", "https"]).map(|_| ()).unwrap_err();
        assert!(matches!(open("ftp://a.example/"), Error::Url { .. }));
        assert!(matches!(open("no url"), Error::Url { .. }));
        assert!(matches!(open("https://denied.example/x"), Error::Denied { .. }));
        // A double without an answer for it has no route there.
        let error = open("https://elsewhere.example/");
        assert_eq!(error.to_string(), "https://elsewhere.example/: opening it: unknown error");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
    }
}
