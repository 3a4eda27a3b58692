//! Requests and responses as the bytes of HTTP/1.1.

use ::http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use ::http::response::Parts;
use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version};

/// Longest head of a response that is read, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most header fields of a response.
pub const FIELDS_MAX: usize = 128;

/// The request's head. It says how long the body is, and which host is meant.
pub(crate) fn request_head<B>(request: &Request<B>, body_bytes: usize) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    // `https://a.example?b` has a query and no path.
    let slash = if target.starts_with('/') { "" } else { "/" };
    let mut head = format!("{} {slash}{target} HTTP/1.1\r\n", request.method()).into_bytes();
    if !request.headers().contains_key(HOST)
        && let Some(authority) = request.uri().authority()
    {
        // Names and passwords of a URL are not for the host to see.
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        field(&mut head, HOST.as_str(), host.as_bytes());
    }
    for (name, value) in request.headers() {
        if *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING {
            field(&mut head, name.as_str(), value.as_bytes());
        }
    }
    let expects_body = matches!(request.method().as_str(), "POST" | "PUT" | "PATCH");
    if body_bytes > 0 || expects_body {
        field(&mut head, CONTENT_LENGTH.as_str(), body_bytes.to_string().as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Writes one header field. Values are checked where they are made: they have no line ends.
pub(crate) fn field(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// A response's head, and how many bytes it had; `None` while it is not whole.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_head(bytes: &[u8]) -> Result<Option<(Parts, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let length = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("the head of the response: {error}")),
    };
    let status = StatusCode::from_u16(parsed.code.unwrap_or_default()).map_err(|error| error.to_string())?;
    let mut headers = HeaderMap::new();
    for field in parsed.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_bytes(field.value).map_err(|error| error.to_string())?;
        headers.append(name, value);
    }
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = status;
    parts.version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = headers;
    Ok(Some((parts, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(request: Request<()>, body_bytes: usize) -> String {
        String::from_utf8(request_head(&request, body_bytes)).unwrap()
    }

    #[test]
    fn a_request_names_its_host_and_the_length_of_its_body() {
        let get = Request::get("https://user:word@a.example:8443?q=1").header("Accept", "text/*");
        assert_eq!(
            head(get.body(()).unwrap(), 0),
            "GET /?q=1 HTTP/1.1\r\nhost: a.example:8443\r\naccept: text/*\r\n\r\n"
        );
        let post = Request::post("http://a.example/x").header("Content-Length", "99").body(()).unwrap();
        assert_eq!(head(post, 3), "POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 3\r\n\r\n");
        let other = Request::get("http://a.example/").header("Host", "b.example").body(()).unwrap();
        assert_eq!(head(other, 0), "GET / HTTP/1.1\r\nhost: b.example\r\n\r\n");
    }

    #[test]
    fn a_head_is_parsed_once_it_is_whole() {
        let text = b"HTTP/1.1 404 Nothing Here\r\nA: 1\r\nA: 2\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            assert_eq!(parse_head(&text[..cut]).unwrap().map(|(_, length)| length), None, "{cut}");
        }
        let (parts, length) = parse_head(text).unwrap().unwrap();
        assert_eq!((parts.status.as_u16(), &text[length..]), (404, &b"body"[..]));
        assert_eq!(parts.headers.get_all("a").iter().count(), 2);
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        for text in ["20 text/gemini\r\n\r\n", "HTTP/1.1 two\r\n\r\n", "HTTP/1.1 200 OK\r\nno field\r\n\r\n"]
        {
            assert!(parse_head(text.as_bytes()).is_err(), "{text:?}");
        }
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: 1\r\n".repeat(FIELDS_MAX + 1));
        assert!(parse_head(many.as_bytes()).is_err());
    }
}
