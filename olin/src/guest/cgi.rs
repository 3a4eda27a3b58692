//! A request and an answer as CGI has them (RFC 3875): variables and the standard input, and the standard output.
//!
//! [`serve`](crate::serve()) calls both functions. Call them yourself in a program that begins with
//! [`entry!`](crate::entry!), and [`begin`] where an answer is written piece by piece.

use std::fmt;
use std::io::{self, Read as _, Write as _};

use ::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use ::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, percent_encode};

use super::http::{FromCgi, PATH, SEGMENT};
use super::resource::Resource;
use super::{Body, env, io as streams};

/// The header fields that a request has in its `headers()`, where they were sent, and the variables that they come
/// in. Any other is found by [`RequestExt::header`](crate::http::RequestExt::header): a program can look a variable up
/// and cannot list them.
pub const FIELDS: [(&str, &str); 26] = [
    ("accept", "HTTP_ACCEPT"),
    ("accept-encoding", "HTTP_ACCEPT_ENCODING"),
    ("accept-language", "HTTP_ACCEPT_LANGUAGE"),
    ("access-control-request-headers", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS"),
    ("access-control-request-method", "HTTP_ACCESS_CONTROL_REQUEST_METHOD"),
    ("authorization", "HTTP_AUTHORIZATION"),
    ("cache-control", "HTTP_CACHE_CONTROL"),
    ("content-length", "CONTENT_LENGTH"),
    ("content-type", "CONTENT_TYPE"),
    ("cookie", "HTTP_COOKIE"),
    ("date", "HTTP_DATE"),
    ("forwarded", "HTTP_FORWARDED"),
    ("host", "HTTP_HOST"),
    ("if-match", "HTTP_IF_MATCH"),
    ("if-modified-since", "HTTP_IF_MODIFIED_SINCE"),
    ("if-none-match", "HTTP_IF_NONE_MATCH"),
    ("if-range", "HTTP_IF_RANGE"),
    ("if-unmodified-since", "HTTP_IF_UNMODIFIED_SINCE"),
    ("origin", "HTTP_ORIGIN"),
    ("range", "HTTP_RANGE"),
    ("referer", "HTTP_REFERER"),
    ("sec-fetch-site", "HTTP_SEC_FETCH_SITE"),
    ("user-agent", "HTTP_USER_AGENT"),
    ("via", "HTTP_VIA"),
    ("x-forwarded-for", "HTTP_X_FORWARDED_FOR"),
    ("x-requested-with", "HTTP_X_REQUESTED_WITH"),
];

/// What cannot stand in a query, besides bytes that are no ASCII.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// Pieces in which a body that is read is sent.
const PIECE_BYTES: usize = 16 << 10;

/// Why there is no request, or no answer.
#[derive(Debug)]
pub enum Error {
    /// A variable is not what the host promises, such as a `REQUEST_METHOD` that is no method. A program that
    /// was not started to answer a request has none of them.
    Variable(&'static str),
    /// The answer's body could not be read, or the standard output could not be written.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Variable(name) => write!(f, "the variable {name} is not set, or makes no sense"),
            Error::Io(error) => write!(f, "cannot send the answer: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Variable(_) => None,
            Error::Io(error) => Some(error),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::Io(error)
    }
}

/// The request that the program was started for.
///
/// Its URI is the path behind the handler's address, and the query; the address itself is in the variables
/// `SERVER_NAME` and `SCRIPT_NAME`. Its body is the standard input, and is read when you read it.
///
/// # Errors
/// [`Error::Variable`] for a program that was started for something else.
pub fn request() -> Result<Request<Body>, Error> {
    let method = env::get_bytes("REQUEST_METHOD").ok().and_then(|method| Method::from_bytes(&method).ok());
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method.ok_or(Error::Variable("REQUEST_METHOD"))?;
    *request.uri_mut() = uri().ok_or(Error::Variable("PATH_INFO"))?;
    for (name, variable) in FIELDS {
        let Ok(value) = env::get_bytes(variable) else { continue };
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    request.extensions_mut().insert(FromCgi);
    // Where there is no length there is no body.
    if let Some(length) = request.headers().get(CONTENT_LENGTH) {
        let length = length.to_str().ok().and_then(|length| length.parse().ok());
        *request.body_mut() = Body::from_reader_of(streams::stdin(), length);
    }
    Ok(request)
}

/// The path, encoded anew, and the query as it was sent.
fn uri() -> Option<Uri> {
    let decoded = env::get_bytes("PATH_INFO").unwrap_or_default();
    let path = path_sent(&decoded).unwrap_or_else(|| percent_encode(&decoded, PATH).to_string());
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut uri = format!("{slash}{path}");
    let query = env::get_bytes("QUERY_STRING").unwrap_or_default();
    if !query.is_empty() {
        uri.push('?');
        uri.extend(percent_encode(&query, QUERY));
    }
    uri.parse().ok()
}

/// The path as it was sent, in the encoding of this crate: one with a `%2F` has it still, where `PATH_INFO` has one
/// slash more.
///
/// `None` unless it is `PATH_INFO` once it is decoded: the host resolves what turns out to be a `..` then, and no
/// program is to see that.
fn path_sent(path_info: &[u8]) -> Option<String> {
    let target = env::get_bytes("REQUEST_URI").ok()?;
    let prefix = env::get_bytes("SCRIPT_NAME").unwrap_or_default();
    let path = target.strip_prefix(prefix.as_slice())?.split(|byte| *byte == b'?').next()?;
    if !percent_decode(path).eq(path_info.iter().copied()) {
        return None;
    }
    let mut sent = String::new();
    for (at, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if at > 0 {
            sent.push('/');
        }
        let segment: Vec<u8> = percent_decode(segment).collect();
        sent.extend(percent_encode(&segment, SEGMENT));
    }
    Some(sent)
}

/// Sends an answer. `Content-Length` is set where the body's length is known.
///
/// # Errors
/// [`Error::Io`] if the body could not be read to its end, or the standard output takes no more.
pub fn respond(response: Response<impl Into<Body>>) -> Result<(), Error> {
    let (parts, body) = response.into_parts();
    let mut body: Body = body.into();
    let mut response = Response::from_parts(parts, ());
    let length = body.len().filter(|_| has_body(response.status()));
    match length {
        Some(length) => drop(response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length))),
        None => drop(response.headers_mut().remove(CONTENT_LENGTH)),
    }
    let mut message = head(&response);
    let mut out = streams::stdout();
    if body.len().is_some_and(|length| length <= PIECE_BYTES as u64) {
        // A short answer is one call.
        body.read_to_end(&mut message)?;
        out.write_all(&message)?;
    } else {
        out.write_all(&message)?;
        copy(&mut body, &mut out)?;
    }
    Ok(out.flush()?)
}

fn copy(body: &mut Body, out: &mut Resource) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match body.read(&mut piece)? {
            0 => return Ok(()),
            count => out.write_all(piece.get(..count).unwrap_or_default())?,
        }
    }
}

/// Sends the head of an answer whose body is written piece by piece to what this returns. Each
/// [`flush`](io::Write::flush) sends what was written so far.
///
/// ```
/// # fn main() -> Result<(), olin::cgi::Error> {
/// # let host = olin::testing::Host::new();
/// use std::io::Write as _;
///
/// use olin::http::Response;
///
/// let mut out = olin::cgi::begin(Response::new(()))?;
/// for minute in ["steep", "steep", "tea"] {
///     writeln!(out, "{minute}")?;
///     out.flush()?;
/// }
/// # assert_eq!(host.stdout(), b"Status: 200 OK\r\n\r\nsteep\nsteep\ntea\n");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Io`] if the standard output takes no more.
pub fn begin(response: Response<()>) -> Result<Resource, Error> {
    let mut out = streams::stdout();
    out.write_all(&head(&response))?;
    Ok(out)
}

/// Whether an answer of this status has a body.
fn has_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED)
}

/// An answer's head, with the empty line behind it.
fn head(response: &Response<()>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("Status: {} {reason}", status.as_u16()).trim_end().as_bytes().to_vec();
    head.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        // A `Status` of its own would be a second one; the host frames the answer.
        if name != "status" && *name != TRANSFER_ENCODING {
            super::http::field(&mut head, name.as_str(), value.as_bytes());
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::RequestExt as _;
    use crate::testing::Host;

    fn host() -> Host {
        Host::new()
            .env("REQUEST_METHOD", "POST")
            .env("PATH_INFO", "/a b/é")
            .env("QUERY_STRING", "q={1}&r=%20")
    }

    #[test]
    fn a_request_is_made_of_variables_and_standard_input() {
        let _host = host()
            .env("CONTENT_LENGTH", "3")
            .env("CONTENT_TYPE", "text/plain")
            .env("HTTP_HOST", "tea.example")
            .env("HTTP_X_ODD", "odd")
            .stdin("tea");
        let request = request().unwrap();
        assert_eq!(
            (request.method(), request.uri().to_string().as_str()),
            (&Method::POST, "/a%20b/%C3%A9?q=%7B1%7D&r=%20")
        );
        assert_eq!(request.path().segments(), ["a b", "é"]);
        assert_eq!((request.query("q").as_deref(), request.query("r").as_deref()), (Some("{1}"), Some(" ")));
        assert_eq!(request.headers()["content-type"], "text/plain");
        assert_eq!(
            (request.header("host").as_deref(), request.header("x-odd").as_deref()),
            (Some("tea.example"), Some("odd"))
        );
        assert_eq!(request.header("x-even"), None);
        assert_eq!((request.body().len(), request.into_body().text().unwrap()), (Some(3), "tea".to_owned()));
    }

    #[test]
    fn a_slash_that_was_sent_encoded_cuts_no_path() {
        let _host = host()
            .env("PATH_INFO", "/a/b/é c")
            .env("REQUEST_URI", "/~tea/%61%2fb/%C3%A9%20c?q=/")
            .env("SCRIPT_NAME", "/~tea");
        let request = request().unwrap();
        assert_eq!(request.uri().path(), "/a%2Fb/%C3%A9%20c");
        assert_eq!(request.path().segments(), ["a/b", "é c"]);
    }

    #[test]
    fn a_path_that_the_host_resolved_is_the_one_that_counts() {
        for (sent, prefix) in [("/a/..%2Fb", ""), ("/~tea/b", ""), ("/b", "/~tea"), ("/c", "")] {
            let _host = host().env("PATH_INFO", "/b").env("REQUEST_URI", sent).env("SCRIPT_NAME", prefix);
            assert_eq!(request().unwrap().uri().path(), "/b", "{sent} behind {prefix:?}");
        }
    }

    #[test]
    fn the_fields_that_are_looked_for_have_their_variables() {
        for (name, variable) in FIELDS {
            assert_eq!(crate::guest::http::variable(HeaderName::from_static(name).as_str()), variable);
        }
    }

    #[test]
    fn a_program_that_no_request_started_is_told_so() {
        let _host = Host::new();
        assert_eq!(
            request().unwrap_err().to_string(),
            "the variable REQUEST_METHOD is not set, or makes no sense"
        );
    }

    #[test]
    fn a_request_without_a_length_has_no_body() {
        let host = host();
        assert!(request().unwrap().into_body().is_empty());
        assert_eq!(host.open_resources(), 0);
    }

    #[test]
    fn an_answer_is_its_status_its_fields_and_its_body() {
        let host = Host::new();
        let response = Response::builder()
            .status(404)
            .header("Content-Type", "text/plain")
            .header("Set-Cookie", "a=1")
            .header("Set-Cookie", "b=2")
            .header("Status", "200")
            .header("Content-Length", "99");
        respond(response.body("no tea").unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(host.stdout()).unwrap(),
            "Status: 404 Not Found\r\ncontent-type: text/plain\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\
             content-length: 6\r\n\r\nno tea"
        );
    }

    #[test]
    fn a_long_body_and_one_of_unknown_length_are_sent_in_pieces() {
        let host = Host::new();
        respond(Response::new("x".repeat(3 * PIECE_BYTES + 1))).unwrap();
        assert!(host.stdout().ends_with(b"xx"));
        assert_eq!(host.response().body().len(), 3 * PIECE_BYTES + 1);
        let host = Host::new();
        respond(Response::new(Body::from_reader(io::repeat(b'y').take(20_000)))).unwrap();
        assert!(!host.response().headers().contains_key(CONTENT_LENGTH));
        assert_eq!(host.response().body().len(), 20_000);
    }

    #[test]
    fn an_answer_that_has_no_body_by_its_status_has_no_length() {
        let host = Host::new();
        respond(Response::builder().status(304).body(()).unwrap()).unwrap();
        assert_eq!(host.stdout(), b"Status: 304 Not Modified\r\n\r\n");
    }
}
