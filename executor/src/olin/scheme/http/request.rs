//! From the bytes that a program wrote to the request that it means.

use std::fmt;

use http::Method;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use httparse::Status;
use wasmcloud_egress::Target;
use wasmcloud_wire::limits::HEADER_FIELDS_MAX;

/// What was opened.
pub(super) enum Opened {
    /// A URL with its host.
    At(Target),
    /// `http://` or `https://` alone, as Olin's own client did it: the request's `Host` field names the host.
    Scheme(&'static str),
}

impl fmt::Display for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opened::At(target) => target.fmt(f),
            Opened::Scheme(scheme) => write!(f, "{scheme}://"),
        }
    }
}

/// A request.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The opened URL with the request's own path and query.
    pub(super) target: Target,
    pub(super) method: Method,
    pub(super) fields: HeaderMap,
    pub(super) body: Vec<u8>,
    /// What the `Host` field names, if not the host that was opened.
    pub(super) other_host: Option<String>,
}

/// What is missing from a request, or wrong with it: goes on from "the request".
#[derive(Debug)]
pub(super) struct Incomplete(pub(super) String);

/// Reads a request. Lines end with CRLF or LF, in any mixture.
pub(super) fn parse(opened: &Opened, bytes: &[u8]) -> Result<Parsed, Incomplete> {
    let mut space = [httparse::EMPTY_HEADER; HEADER_FIELDS_MAX];
    let mut request = httparse::Request::new(&mut space);
    let malformed = |what: String| Incomplete(format!("is malformed: {what}"));
    let head_bytes = match request.parse(bytes) {
        Ok(Status::Complete(bytes)) => bytes,
        Ok(Status::Partial) => {
            return Err(Incomplete("is not complete: an empty line ends its header".to_owned()));
        }
        Err(error) => return Err(malformed(error.to_string())),
    };
    let method = request.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| malformed(error.to_string()))?;
    let mut fields = HeaderMap::with_capacity(request.headers.len());
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        let value = HeaderValue::from_bytes(field.value);
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(malformed(format!("its field {:?} cannot be sent", field.name)));
        };
        fields.append(name, value);
    }
    let named;
    let opened = match opened {
        Opened::At(opened) => opened,
        Opened::Scheme(scheme) => {
            named = named_host(scheme, &fields)?;
            &named
        }
    };
    let target = target(opened, request.path.unwrap_or_default()).map_err(malformed)?;
    let rest = bytes.get(head_bytes..).unwrap_or_default();
    let body = body(&fields, rest)?;
    let other_host = fields.get_all(HOST).iter().find_map(|host| other_host(opened, host));
    Ok(Parsed { target, method, fields, body, other_host })
}

/// Where a request goes: the opened URL's scheme, host and port, and the path that the request names, by
/// itself or within a whole URL of the same origin.
fn target(opened: &Target, written: &str) -> Result<Target, String> {
    let whole =
        if written.starts_with('/') { format!("{}{written}", opened.origin()) } else { written.to_owned() };
    let target = Target::parse(&whole).map_err(|error| format!("its target: {error}"))?;
    if target.same_origin(opened) {
        return Ok(target);
    }
    Err(format!("its target {target} is not at {}, which was opened", opened.origin()))
}

/// The host that the `Host` field names, where none was opened.
fn named_host(scheme: &str, fields: &HeaderMap) -> Result<Target, Incomplete> {
    let mut hosts = fields.get_all(HOST).iter();
    let no_host = || Incomplete("names no host: neither the URL that was opened nor a Host field".to_owned());
    let host = hosts.next().ok_or_else(no_host)?;
    if hosts.any(|other| other != host) {
        return Err(Incomplete("names several hosts".to_owned()));
    }
    let host = String::from_utf8_lossy(host.as_bytes());
    Target::parse(&format!("{scheme}://{host}/"))
        .map_err(|error| Incomplete(format!("names a host in its Host field that is none: {error}")))
}

/// The host that a `Host` field names, if it is another than the one that was opened.
fn other_host(opened: &Target, field: &HeaderValue) -> Option<String> {
    let text = String::from_utf8_lossy(field.as_bytes()).into_owned();
    let named = Target::parse(&format!("{}://{text}/", opened.scheme())).ok();
    let same = named.is_some_and(|named| named.host() == opened.host());
    (!same).then_some(text)
}

/// The body: as long as `Content-Length` says, or in chunks, or all that follows the header.
fn body(fields: &HeaderMap, rest: &[u8]) -> Result<Vec<u8>, Incomplete> {
    if let Some(coding) = fields.get(TRANSFER_ENCODING) {
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Incomplete("has a Transfer-Encoding other than chunked".to_owned()));
        }
        return chunks(rest);
    }
    let mut length = None;
    for field in fields.get_all(CONTENT_LENGTH) {
        let digits = field.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|text| text.parse::<usize>().ok());
        if number.is_none() || length.is_some_and(|known| Some(known) != number) {
            return Err(Incomplete("has a Content-Length that is no number, or two of them".to_owned()));
        }
        length = number;
    }
    match length {
        Some(length) => rest.get(..length).map(<[u8]>::to_vec).ok_or_else(|| {
            let reason = format!("is not complete: {} of {length} bytes of its body are written", rest.len());
            Incomplete(reason)
        }),
        // Old clients end the header with one empty line too many.
        None if rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => Ok(Vec::new()),
        None => Ok(rest.to_vec()),
    }
}

/// A body that the program wrote in chunks, as one. Their lines end with CRLF or LF, too.
fn chunks(mut rest: &[u8]) -> Result<Vec<u8>, Incomplete> {
    let incomplete = || Incomplete("is not complete: its last chunk is missing".to_owned());
    let mut body = Vec::new();
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(incomplete)?;
        let (line, after) = rest.split_at(end);
        let size = chunk_size(line)
            .ok_or_else(|| Incomplete("has a chunk whose size is no hexadecimal number".to_owned()))?;
        if size == 0 {
            return Ok(body);
        }
        let (chunk, after) =
            after.get(1..).unwrap_or_default().split_at_checked(size).ok_or_else(incomplete)?;
        body.extend_from_slice(chunk);
        let after = after.strip_prefix(b"\r").unwrap_or(after);
        rest = after.strip_prefix(b"\n").ok_or_else(incomplete)?;
    }
}

/// The size that a chunk begins with; what follows a semicolon means nothing here.
fn chunk_size(line: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(line).ok()?;
    let digits = text.split(';').next()?.trim();
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| usize::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened() -> Opened {
        Opened::At(Target::parse("https://a.example/opened").unwrap())
    }

    fn parsed(bytes: &str) -> Parsed {
        parse(&opened(), bytes.as_bytes()).unwrap_or_else(|Incomplete(why)| panic!("{bytes:?}: {why}"))
    }

    fn refused(bytes: &str) -> String {
        parse(&opened(), bytes.as_bytes()).unwrap_err().0
    }

    #[test]
    fn lines_end_with_crlf_or_lf_in_any_mixture() {
        for bytes in [
            "GET /x?y HTTP/1.1\r\nHost: a.example\r\nX: 1\r\n\r\n",
            "GET /x?y HTTP/1.1\nHost: a.example\nX: 1\n\n",
            "GET /x?y HTTP/1.1\r\nHost: a.example\nX: 1\n\n\n",
            "GET https://A.example:443/x?y HTTP/1.0\nHost: a.example:443\nHost: a.example\nX: 1\r\n\r\n",
        ] {
            let request = parsed(bytes);
            assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "https://a.example/x?y"));
            assert_eq!(request.fields["x"], "1");
            assert_eq!((request.body, request.other_host), (Vec::new(), None), "{bytes:?}");
        }
    }

    #[test]
    fn the_target_cannot_leave_the_origin_that_was_opened() {
        assert_eq!(
            parsed("GET //evil.example/ HTTP/1.1\n\n").target.as_str(),
            "https://a.example//evil.example/"
        );
        assert_eq!(
            parsed("GET /\\evil.example/ HTTP/1.1\n\n").target.as_str(),
            "https://a.example//evil.example/"
        );
        for target in [
            "https://evil.example/",
            "http://a.example/",
            "https://a.example:444/",
            "*",
            "x",
            "@evil.example/",
        ] {
            let why = refused(&format!("GET {target} HTTP/1.1\n\n"));
            assert!(why.contains("its target"), "{target}: {why}");
        }
    }

    #[test]
    fn another_host_in_the_host_field_is_noticed_and_has_no_effect() {
        let request = parsed("GET / HTTP/1.1\nHost: evil.example\n\n");
        assert_eq!(request.target.as_str(), "https://a.example/");
        assert_eq!(request.other_host.as_deref(), Some("evil.example"));
    }

    #[test]
    fn without_a_host_that_was_opened_the_host_field_names_it() {
        let named = |bytes: &str| {
            let request = parse(&Opened::Scheme("https"), bytes.as_bytes());
            request.map(|request| request.target.to_string()).map_err(|Incomplete(why)| why)
        };
        assert_eq!(
            named("GET /x?y HTTP/1.1\r\nHost: A.example:8443\n\n\n").unwrap(),
            "https://a.example:8443/x?y"
        );
        assert_eq!(
            named("GET / HTTP/1.1\nHost: a.example\nhost: a.example\n\n").unwrap(),
            "https://a.example/"
        );
        for (bytes, why) in [
            ("GET / HTTP/1.1\n\n", "names no host"),
            ("GET / HTTP/1.1\nHost:\n\n", "that is none"),
            ("GET / HTTP/1.1\nHost: user@a.example\n\n", "that is none"),
            ("GET / HTTP/1.1\nHost: a.example\nHost: b.example\n\n", "several hosts"),
            ("GET https://b.example/ HTTP/1.1\nHost: a.example\n\n", "its target"),
        ] {
            let refused = named(bytes).unwrap_err();
            assert!(refused.contains(why), "{bytes:?}: {refused}");
        }
    }

    #[test]
    fn the_body_is_as_long_as_its_length_says_or_all_that_follows() {
        for (bytes, body) in [
            ("POST / HTTP/1.1\nContent-Length: 3\n\nabcdef", "abc"),
            ("POST / HTTP/1.1\n\nabcdef", "abcdef"),
            ("POST / HTTP/1.1\nContent-Length: 3\nContent-Length: 3\n\nabc", "abc"),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n2;x=y\nde\n0\r\n\r\n", "abcde"),
            ("GET / HTTP/1.1\n\n\r\n\n", ""),
        ] {
            assert_eq!(String::from_utf8(parsed(bytes).body).unwrap(), body, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_incomplete_or_contradicts_itself_is_refused() {
        for (bytes, why) in [
            ("", "not complete"),
            ("GET / HTTP/1.1\r\nHost: a", "not complete"),
            ("POST / HTTP/1.1\nContent-Length: 3\n\nab", "2 of 3 bytes"),
            ("POST / HTTP/1.1\nContent-Length: 3\nContent-Length: 4\n\nabcd", "Content-Length"),
            ("POST / HTTP/1.1\nContent-Length: +3\n\nabc", "Content-Length"),
            ("POST / HTTP/1.1\nTransfer-Encoding: gzip\n\n", "Transfer-Encoding"),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\r\nab", "last chunk"),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nx\r\n", "no hexadecimal number"),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n+3\nabc\n0\n\n", "no hexadecimal number"),
            ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\nffffffffffffffff\nabc\n", "last chunk"),
            ("GET /\n\n", "malformed"),
            ("GET / HTTP/2.0\n\n", "malformed"),
        ] {
            assert!(refused(bytes).contains(why), "{bytes:?}: {}", refused(bytes));
        }
        let fields = "X: 1\n".repeat(HEADER_FIELDS_MAX + 1);
        assert!(refused(&format!("GET / HTTP/1.1\n{fields}\n")).contains("malformed"));
    }
}
