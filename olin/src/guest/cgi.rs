//! A request and an answer as CGI has them (RFC 3875): variables and the standard input, and the standard output.

use std::io::{self, Read, Write};

use super::{env, io as streams};

/// A request, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in its exact case.
    pub method: String,
    /// The path behind the handler's address, decoded.
    pub path: String,
    /// What follows the `?`, still encoded; empty if nothing does.
    pub query: String,
    /// The body, empty if there is none. The host limits its size.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads the request that the program was started for.
    ///
    /// # Errors
    /// What reading the body came to.
    pub fn read() -> io::Result<Request> {
        let mut body = Vec::new();
        streams::stdin().read_to_end(&mut body)?;
        let variable = |name| env::get(name).unwrap_or_default();
        Ok(Request {
            method: variable("REQUEST_METHOD"),
            path: variable("PATH_INFO"),
            query: variable("QUERY_STRING"),
            body,
        })
    }
}

/// Answers with a status, a content type and a body.
///
/// # Errors
/// `InvalidInput` where the content type has a line end or another control character, which would begin a
/// header field of its own; what writing came to.
pub fn respond(status: u16, content_type: &str, body: &[u8]) -> io::Result<()> {
    if content_type.chars().any(char::is_control) {
        let message = format!("content type {content_type:?} has a control character");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let mut out = streams::stdout();
    write!(
        out,
        "Status: {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    out.write_all(body)?;
    out.flush()
}
