//! The client: one resource is one request.

use ::http::header::CONTENT_LENGTH;
use ::http::{Method, Request, Response, StatusCode};

use super::message::{HEAD_BYTES_MAX, parse_head, request_head};
use crate::guest::Body;
use crate::guest::net::{self, Error, Incoming, failed, malformed};
use crate::guest::resource::Resource;

/// Bytes of a head that are asked for at once.
const HEAD_PIECE_BYTES: usize = 4 << 10;

/// Gets a URL.
///
/// # Errors
/// As [`send`].
pub fn get(url: &str) -> Result<Response<Body>, Error> {
    let bad = |_| Error::Url { url: url.to_owned(), reason: "it is no URL" };
    send(Request::get(url).body(Body::empty()).map_err(bad)?)
}

/// Sends a request and reads the head of its response; the body comes as it is read.
///
/// The request's URL is absolute, with `http://` or `https://`. Its body is read whole before it is sent. `Host` and `Content-Length` need not be
/// set. A status such as 404 is a response and no error. Redirects are followed by the host, which asks the
/// handler's policy about each of them; TLS and names are its business too.
///
/// # Errors
/// [`Error::Denied`] where the policy does not allow the URL; [`Error::NotFound`] where there is no server of that
/// name; [`Error::Failed`] where the host could not do it or the request's body could not be read;
/// [`Error::Malformed`] for a response that is none. The response's body is read later: the `io::Error` of that is
/// made of one of these.
pub fn send(request: Request<impl Into<Body>>) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string();
    // The host is told how long the body is before it comes.
    let body = body.into().bytes().map_err(|error| match net::cause(&error) {
        // It is another answer, and the fault is there.
        Some(cause) => cause.clone(),
        None => failed(&url, "reading the request's body", crate::Error::Unknown),
    })?;
    let request = Request::from_parts(parts, ());
    let mut resource = net::open(&url, &["http", "https"])?;
    let mut message = request_head(&request, body.len());
    message.extend_from_slice(&body);
    resource.write_whole(&message).map_err(|error| failed(&url, "writing the request", error))?;
    resource.flush_now().map_err(|error| failed(&url, "sending the request", error))?;
    read_response(resource, &url, request.method())
}

fn read_response(mut resource: Resource, url: &str, method: &Method) -> Result<Response<Body>, Error> {
    let mut bytes = Vec::new();
    let (parts, length) = loop {
        let old = bytes.len();
        bytes.resize(old + HEAD_PIECE_BYTES, 0);
        let piece = bytes.get_mut(old..).unwrap_or_default();
        let read = resource.read_some(piece).map_err(|error| failed(url, "reading the response", error))?;
        bytes.truncate(old + read.unwrap_or(0));
        if let Some(head) = parse_head(&bytes).map_err(|reason| malformed(url, reason))? {
            break head;
        }
        if read.is_none() {
            return Err(malformed(url, "it ends within its head"));
        }
        if bytes.len() >= HEAD_BYTES_MAX {
            return Err(malformed(url, format!("its head has more than {HEAD_BYTES_MAX} bytes")));
        }
    };
    let rest = bytes.split_off(length.min(bytes.len()));
    let bodiless =
        *method == Method::HEAD || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if bodiless {
        Body::empty()
    } else {
        let told = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        Body::from_reader_of(Incoming::new(url, rest, resource, told), told)
    };
    Ok(Response::from_parts(parts, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_request_is_sent_and_its_response_comes_back() {
        let host = Host::new().http("https://tea.example/", |request| {
            let answer = [request.method().as_str().as_bytes(), b" ", request.body()].concat();
            Response::builder().status(201).header("X-Pot", "1").body(answer).unwrap()
        });
        let request =
            Request::put("https://tea.example/pots/1").header("X-Sort", "green").body("hot").unwrap();
        let response = send(request).unwrap();
        assert_eq!((response.status().as_u16(), response.headers()["x-pot"].to_str().unwrap()), (201, "1"));
        assert_eq!(response.into_body().text().unwrap(), "PUT hot");
        let [sent] = &host.requests()[..] else { panic!("one request") };
        assert_eq!(sent.uri(), "https://tea.example/pots/1");
        assert_eq!(
            (&sent.headers()["x-sort"], &sent.headers()["host"]),
            (&"green".parse().unwrap(), &"tea.example".parse().unwrap())
        );
        assert_eq!(host.open_resources(), 0);
    }

    #[test]
    fn a_response_without_a_length_ends_with_its_resource() {
        let long = "x".repeat(3 * HEAD_PIECE_BYTES);
        let _host = Host::new().bytes("http://a.example/", format!("HTTP/1.0 200 OK\r\n\r\n{long}"));
        let response = get("http://a.example/").unwrap();
        assert_eq!(response.body().len(), None);
        assert_eq!(response.into_body().text().unwrap(), long);
    }

    #[test]
    fn a_response_that_breaks_off_is_an_error() {
        let _host = Host::new()
            .bytes("http://a.example/body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
            .bytes("http://a.example/head", "HTTP/1.1 200 OK\r\nContent-Le")
            .bytes("http://a.example/long", format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(HEAD_BYTES_MAX)))
            .bytes("http://a.example/gone", "");
        let error = get("http://a.example/body").unwrap().into_body().bytes().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (
                std::io::ErrorKind::UnexpectedEof,
                "http://a.example/body gave a malformed answer: its body ends 4 bytes too early"
            )
        );
        for (path, words) in
            [("head", "within its head"), ("long", "more than 65536 bytes"), ("gone", "within its head")]
        {
            let error = get(&format!("http://a.example/{path}")).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn a_body_that_the_host_cannot_read_on_names_its_url() {
        let cut = || Host::new().cut("http://a.example/", "HTTP/1.1 200 OK\r\n\r\nhalf a");
        let words = "http://a.example/tea: reading the response's body: unknown error";
        let host = cut();
        let error = get("http://a.example/tea").unwrap().into_body().text().unwrap_err();
        assert_eq!(error.to_string(), words);
        assert_eq!(host.open_resources(), 0);
        // The same where it is passed on as the body of another request.
        let _host = cut().http("http://b.example/", |_| Response::new(Vec::new()));
        let half = get("http://a.example/tea").unwrap().into_body();
        let error = send(Request::post("http://b.example/").body(half).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), words);
    }

    #[test]
    fn what_follows_the_body_is_no_part_of_it() {
        let _host =
            Host::new().bytes("http://a.example/", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabcd");
        assert_eq!(get("http://a.example/").unwrap().into_body().bytes().unwrap(), b"ab");
        let _host =
            Host::new().bytes("http://a.example/", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n");
        assert_eq!(get("http://a.example/").unwrap().into_body().bytes().unwrap(), b"");
    }

    #[test]
    fn a_url_that_is_none_or_is_denied_is_told_apart() {
        let _host = Host::new().deny("https://denied.example/");
        assert!(matches!(get("no url at all"), Err(Error::Url { .. })));
        assert!(matches!(get("/relative"), Err(Error::Url { .. })));
        assert!(matches!(get("https://denied.example/"), Err(Error::Denied { .. })));
        assert!(matches!(get("https://nobody.example/"), Err(Error::Failed { .. })));
    }
}
