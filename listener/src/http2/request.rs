//! A request of HTTP/2 in the form that services know from HTTP/1.1, and which ones are refused.
//!
//! `h2` itself resets streams with fields that belong to a connection (`Connection`,
//! `Transfer-Encoding`, …), with a `TE` other than `trailers`, with lengths that disagree, with
//! pseudo-fields that are missing, doubled or out of place (RFC 9113 section 8). What it lets through
//! is read here as strictly as HTTP/1.1's requests are.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri};

use crate::request::{answer, refuse};
use crate::{ResponseBody, Settings};

/// Gives the request its `Host` field, one `Cookie` field and a target without scheme and host. The
/// answer to a request that no service should see; `None` if it is fine.
pub(crate) fn normalize<B>(request: &mut Request<B>, settings: &Settings) -> Option<Response<ResponseBody>> {
    join_cookies(request.headers_mut());
    if let Err((status, text)) = check_fields(request.headers(), settings) {
        return Some(answer(status, text));
    }
    if let Some(refusal) = refuse(request, settings.target_bytes_max) {
        return Some(refusal);
    }
    if let Err(text) = settle_host(request) {
        return Some(answer(StatusCode::BAD_REQUEST, text));
    }
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    None
}

fn check_fields(headers: &HeaderMap, settings: &Settings) -> Result<(), (StatusCode, &'static str)> {
    if headers.len() > settings.header_fields_max {
        return Err((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many fields\n"));
    }
    if headers.values().any(|value| has_space_around(value.as_bytes())) {
        // RFC 9113 section 8.2.1.
        return Err((StatusCode::BAD_REQUEST, "a field's value begins or ends with white space\n"));
    }
    if headers.get_all(CONTENT_LENGTH).iter().nth(1).is_some() {
        return Err((StatusCode::BAD_REQUEST, "there is more than one Content-Length field\n"));
    }
    Ok(())
}

/// Sees to it that there is a `Host` field, which says what the authority says (RFC 9113 section 8.3.1).
fn settle_host<B>(request: &mut Request<B>) -> Result<(), &'static str> {
    let field = request.headers().get(HOST);
    let Some(authority) = request.uri().authority() else {
        return if field.is_some() { Ok(()) } else { Err("the request names no host\n") };
    };
    let named = authority.as_str();
    if named.contains('@') {
        return Err("the authority has credentials, which have no place there\n");
    }
    match field {
        Some(host) if host.as_bytes().eq_ignore_ascii_case(named.as_bytes()) => {}
        Some(_) => return Err("the Host field names another host than the request's authority\n"),
        None => {
            let host = HeaderValue::from_str(named).map_err(|_| "the authority is no host\n")?;
            request.headers_mut().insert(HOST, host);
        }
    }
    Ok(())
}

/// RFC 9113 section 8.2.3: a browser may cut its cookies into many fields, and whoever is no HTTP/2
/// is to get one.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

fn has_space_around(value: &[u8]) -> bool {
    let space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    space(value.first()) || space(value.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(uri: &str, fields: &[(&str, &str)]) -> Result<Request<()>, StatusCode> {
        let mut request = Request::builder().version(http::Version::HTTP_2).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        match normalize(&mut request, &Settings::default()) {
            Some(refusal) => Err(refusal.status()),
            None => Ok(request),
        }
    }

    #[test]
    fn a_request_looks_as_one_of_http_1_1_does() {
        let request =
            normal("https://Example.net:8443/a?b", &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2")])
                .unwrap();
        assert_eq!(request.uri(), "/a?b");
        assert_eq!(request.headers()[HOST], "Example.net:8443");
        assert_eq!(request.headers().get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2"]);
        assert!(normal("https://example.net/", &[("host", "EXAMPLE.net")]).is_ok());
        assert_eq!(normal("/only", &[("host", "a")]).unwrap().uri(), "/only");
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_400() {
        for (uri, fields) in [
            ("https://example.net/", &[("host", "example.org")][..]),
            ("https://example.net/", &[("host", "example.net:443")]),
            ("https://example.net/", &[("host", "example.net"), ("host", "example.net")]),
            ("https://u@example.net/", &[]),
            ("/", &[]),
            ("https://a/", &[("content-length", "1"), ("content-length", "1")]),
        ] {
            assert_eq!(normal(uri, fields).unwrap_err(), StatusCode::BAD_REQUEST, "{uri} {fields:?}");
        }
    }

    #[test]
    fn too_many_fields_are_431_and_crumbs_of_cookies_are_one() {
        let many = |name: &'static str| vec![(name, "1"); Settings::default().header_fields_max + 1];
        assert_eq!(
            normal("https://a/", &many("x")).unwrap_err(),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        );
        assert!(normal("https://a/", &many("cookie")).is_ok());
    }
}
