//! What a handler asks of its request.

use std::borrow::Cow;

use ::http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str};

use crate::guest::env;

/// What is encoded in a path: all but the characters that RFC 3986 lets stand in one.
pub(crate) const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');
/// As [`PATH`], for what stands between two slashes.
pub(crate) const SEGMENT: &AsciiSet = &PATH.add(b'/');

/// Marks a request that the program was started for: its header fields are variables too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromCgi;

/// What a handler asks of its request, beyond what [`Request`] itself has.
pub trait RequestExt {
    /// The path, decoded and cut at its slashes, to be matched on:
    ///
    /// ```
    /// use olin::http::{Method, Request, RequestExt as _, Response, StatusCode};
    /// use olin::{Body, reply};
    ///
    /// fn handle(request: Request<Body>) -> Response<Body> {
    ///     match (request.method(), &request.path().segments()[..]) {
    ///         (&Method::GET, []) => reply::text("tea, or coffee?"),
    ///         (&Method::GET, ["tea", sort]) => reply::text(format!("{sort}, hot")),
    ///         (_, ["tea", ..]) => reply::status(StatusCode::METHOD_NOT_ALLOWED),
    ///         _ => reply::status(StatusCode::NOT_FOUND),
    ///     }
    /// }
    ///
    /// let request = Request::get("/tea/earl%20grey").body(Body::empty())?;
    /// assert_eq!(handle(request).into_body().text()?, "earl grey, hot");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn path(&self) -> Path;

    /// The query's first value of that name, decoded.
    ///
    /// ```
    /// # use olin::http::{Request, RequestExt as _};
    /// let request = Request::get("/?sort=earl+grey&milk").body(())?;
    /// assert_eq!(request.query("sort").as_deref(), Some("earl grey"));
    /// assert_eq!(request.query("milk").as_deref(), Some(""));
    /// assert_eq!(request.query("sugar"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn query(&self, name: &str) -> Option<String>;

    /// The query's names and values, decoded, in their order.
    fn queries(&self) -> Vec<(String, String)>;

    /// A header field's value, if it is text.
    ///
    /// A program cannot list the fields that came with a request, since the ABI only looks variables up. So
    /// [`Request::headers`] has those of [`cgi::FIELDS`](crate::cgi::FIELDS), and this finds every one. Fields
    /// that came more than once are joined by `, `.
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;
}

impl<B> RequestExt for Request<B> {
    fn path(&self) -> Path {
        Path::new(self.uri().path())
    }

    fn query(&self, name: &str) -> Option<String> {
        pairs(self.uri().query()).find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn queries(&self) -> Vec<(String, String)> {
        pairs(self.uri().query()).collect()
    }

    fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some(value) = self.headers().get(name) {
            return value.to_str().ok().map(Cow::Borrowed);
        }
        self.extensions().get::<FromCgi>()?;
        env::get(&variable(name)).map(Cow::Owned)
    }
}

/// The variable that has a header field's value.
pub(crate) fn variable(name: &str) -> String {
    match name.to_ascii_uppercase().replace('-', "_") {
        name if name == "CONTENT_TYPE" || name == "CONTENT_LENGTH" => name,
        name => format!("HTTP_{name}"),
    }
}

/// A path, decoded. Bytes that are no UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<String>);

impl Path {
    fn new(path: &str) -> Path {
        let path = path.strip_prefix('/').unwrap_or(path);
        if path.is_empty() {
            return Path(Vec::new());
        }
        Path(path.split('/').map(decode).collect())
    }

    /// What stands between the slashes. `/` has none; `/a/` has two, and the last is empty.
    pub fn segments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts.map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        let form = |text: &str| decode(&text.replace('+', " "));
        (form(key), form(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str) -> Request<()> {
        Request::get(uri).header("X-Tea", "Earl Grey").body(()).unwrap()
    }

    #[test]
    fn a_path_is_cut_before_it_is_decoded() {
        assert!(request("/").path().segments().is_empty());
        assert_eq!(request("/a%2Fb/c%20d/?e=/f").path().segments(), ["a/b", "c d", ""]);
        assert_eq!(request("https://a.example").path().segments(), [""; 0]);
    }

    #[test]
    fn a_query_is_read_as_forms_write_it() {
        let request = request("/?a=1&b=x+y%26&&c&a=2&%C3%A9=%e9");
        assert_eq!(request.query("a").as_deref(), Some("1"));
        assert_eq!(request.query("b").as_deref(), Some("x y&"));
        assert_eq!(request.query("d"), None);
        let names: Vec<String> = request.queries().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "c", "a", "é"]);
        assert_eq!(request.query("é").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn a_field_of_a_request_that_was_made_here_is_no_variable() {
        let _host = crate::testing::Host::new().env("HTTP_X_MILK", "yes");
        assert_eq!(request("/").header("x-tea").as_deref(), Some("Earl Grey"));
        assert_eq!(request("/").header("x-milk"), None);
    }

    #[test]
    fn a_fields_variable_has_http_before_it_unless_it_is_about_the_body() {
        assert_eq!(variable("x-hub-signature-256"), "HTTP_X_HUB_SIGNATURE_256");
        assert_eq!(variable("content-type"), "CONTENT_TYPE");
    }
}
