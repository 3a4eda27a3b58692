//! Why something beyond the sandbox could not be had: the error of [`http`](super::http), [`ws`](super::ws) and
//! [`gemini`](super::gemini).

use std::any::Any;
use std::fmt;
use std::io::{self, Cursor};

use super::cgi;
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
    /// There is no such thing: a server whose name is not found, a redirect to a scheme that is not HTTP, a host that
    /// does not provide this scheme. The log says which.
    NotFound {
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
            Error::NotFound { url } => {
                write!(f, "{url}: no such host, or no such scheme; the handler's log says which")
            }
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
            Error::NotFound { .. } => io::ErrorKind::NotFound,
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
    Resource::open(url).map_err(|error| match error {
        abi::Error::InvalidArgument => {
            Error::Url { url: url.to_owned(), reason: "the host takes it for no URL" }
        }
        error => failed(url, "opening it", error),
    })
}

/// What went wrong with an open URL.
pub(crate) fn failed(url: &str, doing: &'static str, error: abi::Error) -> Error {
    let url = url.to_owned();
    match error {
        abi::Error::PermissionDenied => Error::Denied { url },
        abi::Error::NotFound => Error::NotFound { url },
        error => Error::Failed { url, doing, error },
    }
}

/// An answer that breaks its protocol.
pub(crate) fn malformed(url: &str, reason: impl fmt::Display) -> Error {
    Error::Malformed { url: url.to_owned(), reason: reason.to_string() }
}

/// The error of this module that an error is, or was made of.
///
/// Errors are `dyn Any` here and not `dyn Error`: that would bring each one's `Debug` into the program.
pub(crate) fn cause(error: &dyn Any) -> Option<&Error> {
    if let Some(error) = error.downcast_ref() {
        return Some(error);
    }
    #[cfg(feature = "json")]
    if let Some(error) = error.downcast_ref::<super::body::JsonError>() {
        return within(error.unread()?);
    }
    match error.downcast_ref() {
        Some(cgi::Error::Io(error)) => within(error),
        _ => within(error.downcast_ref()?),
    }
}

/// The error of this module that an `io::Error` was made of.
fn within(error: &io::Error) -> Option<&Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| within(inner.downcast_ref()?))
}

/// What comes behind an answer's head. It ends where the head said so, and not before; its errors name the URL.
pub(crate) struct Incoming {
    url: String,
    /// What came together with the head.
    begun: Cursor<Vec<u8>>,
    resource: Resource,
    /// How many bytes are still to come, where the head told.
    left: Option<u64>,
}

impl Incoming {
    pub(crate) fn new(url: &str, begun: Vec<u8>, resource: Resource, left: Option<u64>) -> Incoming {
        Incoming { url: url.to_owned(), begun: Cursor::new(begun), resource, left }
    }
}

impl io::Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let room = room.min(buffer.len());
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut count = self.begun.read(buffer)?;
        if count == 0 {
            let read = self.resource.read_some(buffer);
            let read = read.map_err(|error| failed(&self.url, "reading the response's body", error))?;
            count = read.unwrap_or(0);
        }
        if let Some(left) = &mut self.left {
            if count == 0 {
                let early = malformed(&self.url, format!("its body ends {left} bytes too early"));
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, early));
            }
            *left = left.saturating_sub(count as u64);
        }
        Ok(count)
    }
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

    #[test]
    fn a_name_that_is_not_found_is_no_scheme_that_is_missing() {
        let _host = Host::new().not_found("https://nowhere.example/").not_found("wss://nowhere.example/");
        let url = "https://nowhere.example/x";
        let error = crate::http::get(url).unwrap_err();
        assert_eq!(error, Error::NotFound { url: url.to_owned() });
        assert_eq!(
            error.to_string(),
            "https://nowhere.example/x: no such host, or no such scheme; the handler's log says which"
        );
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        assert!(matches!(crate::ws::connect("wss://nowhere.example/"), Err(Error::NotFound { .. })));
    }

    #[test]
    fn the_cause_of_an_error_is_found_however_deep_it_lies() {
        let denied = Error::Denied { url: "https://a.example/".to_owned() };
        let nested = io::Error::other(io::Error::from(denied.clone()));
        assert_eq!(cause(&nested), Some(&denied));
        assert_eq!(cause(&crate::cgi::Error::Io(nested)), Some(&denied));
        assert_eq!(cause(&io::Error::other("the kettle broke")), None);
    }
}
