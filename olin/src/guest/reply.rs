//! Answers, made in one call.
//!
//! ```
//! use olin::http::{Request, RequestExt as _, Response, StatusCode};
//! use olin::{Body, Failure, reply};
//!
//! fn handle(request: Request<Body>) -> Result<Response<Body>, Failure> {
//!     let Some(cups) = request.query("cups") else {
//!         return Err(Failure::new(StatusCode::BAD_REQUEST, "how many? say /?cups=2"));
//!     };
//!     let cups: u32 = cups.parse().map_err(|error| Failure::new(StatusCode::BAD_REQUEST, error))?;
//!     Ok(reply::text(format!("{} ml\n", cups * 250)))
//! }
//! # let request = Request::get("/?cups=2").body(Body::empty())?;
//! # assert_eq!(handle(request).ok().unwrap().into_body().text()?, "500 ml\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::any::Any;
use std::fmt;

use ::http::header::{CONTENT_TYPE, LOCATION};
use ::http::{HeaderValue, Response, StatusCode};

use super::{Body, log, net};

const TEXT: &str = "text/plain; charset=utf-8";

/// 200 with text.
pub fn text(text: impl Into<String>) -> Response<Body> {
    content(TEXT, text.into())
}

/// 200 with a page.
pub fn html(page: impl Into<String>) -> Response<Body> {
    content("text/html; charset=utf-8", page.into())
}

/// 200 with a value as JSON.
///
/// # Errors
/// 500 where the value cannot be written as JSON, such as a map whose keys are no text.
#[cfg(feature = "json")]
pub fn json(value: &(impl serde::Serialize + ?Sized)) -> Result<Response<Body>, Failure> {
    let mut text = serde_json::to_vec(value)?;
    text.push(b'\n');
    Ok(content("application/json", text))
}

/// 200 with a body of that type.
pub fn content(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A status and its own words, such as `Not Found`.
pub fn status(status: StatusCode) -> Response<Body> {
    let mut response = text(format!("{}\n", status.canonical_reason().unwrap_or(status.as_str())));
    *response.status_mut() = status;
    response
}

/// 303: the client gets that place instead.
///
/// # Errors
/// 500 for a place with a control character.
pub fn see_other(location: &str) -> Result<Response<Body>, Failure> {
    let mut response = status(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(location)?);
    Ok(response)
}

/// Why a handler does not answer as it was asked to: a status, and words for the client or for the log.
///
/// Any error becomes one with `?`. The client of a handler that could not have another server's answer, or not all of
/// it, gets 502, the one
/// whose JSON is none gets 400 and what is wrong with it, and for all other errors it is 500. Except for the JSON, what
/// the error says goes to the log, and not to the client.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    /// For the client.
    shown: Option<String>,
    /// For the log.
    logged: Option<String>,
}

impl Failure {
    /// The client gets this status and these words.
    pub fn new(status: StatusCode, words: impl fmt::Display) -> Failure {
        Failure { status, shown: Some(words.to_string()), logged: None }
    }

    /// The client gets 500, and the log these words.
    pub fn internal(words: impl fmt::Display) -> Failure {
        Failure { status: StatusCode::INTERNAL_SERVER_ERROR, shown: None, logged: Some(words.to_string()) }
    }

    /// The status that the client gets.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        let any: &dyn Any = &error;
        #[cfg(feature = "json")]
        if any.downcast_ref().is_some_and(|error: &super::body::JsonError| error.unread().is_none()) {
            return Failure::new(StatusCode::BAD_REQUEST, error);
        }
        let internal = Failure::internal(&error);
        // The body of an answer fails with an `io::Error` that is made of one.
        match net::cause(any) {
            Some(_) => Failure { status: StatusCode::BAD_GATEWAY, ..internal },
            None => internal,
        }
    }
}

/// What a handler may return.
pub trait IntoResponse {
    /// The answer.
    fn into_response(self) -> Response<Body>;
}

impl<B: Into<Body>> IntoResponse for Response<B> {
    fn into_response(self) -> Response<Body> {
        self.map(Into::into)
    }
}

impl IntoResponse for StatusCode {
    fn into_response(self) -> Response<Body> {
        status(self)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        if let Some(words) = self.logged {
            log::error(&words);
        }
        let Some(words) = self.shown else { return status(self.status) };
        let mut response = text(words + "\n");
        *response.status_mut() = self.status;
        response
    }
}

impl<R: IntoResponse, E: IntoResponse> IntoResponse for Result<R, E> {
    fn into_response(self) -> Response<Body> {
        match self {
            Ok(response) => response.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::testing::Host;

    fn fails(error: impl Into<Failure>) -> (u16, String) {
        let response = error.into().into_response();
        (response.status().as_u16(), response.into_body().text().unwrap())
    }

    #[test]
    fn an_answer_has_its_type() {
        assert_eq!(text("a").headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(html("a").headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let missing = status(StatusCode::NOT_FOUND);
        assert_eq!(
            (missing.status().as_u16(), missing.into_body().text().unwrap()),
            (404, "Not Found\n".to_owned())
        );
        assert_eq!(see_other("/tea").unwrap().headers()[LOCATION], "/tea");
        assert_eq!(see_other("/tea\r\nX: 1").unwrap_err().status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[cfg(feature = "json")]
    #[test]
    fn a_value_is_answered_as_json() {
        let response = json(&[1, 2]).unwrap();
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.into_body().text().unwrap(), "[1,2]\n");
        let wrong = Body::from("{").json::<u8>().unwrap_err();
        let (status, words) = fails(wrong);
        assert_eq!(status, 400);
        assert!(words.starts_with("the body is not the JSON that is expected: "), "{words}");
    }

    #[test]
    fn what_an_error_says_is_for_the_log() {
        let host = Host::new();
        assert_eq!(fails(io::Error::other("the kettle broke")), (500, "Internal Server Error\n".to_owned()));
        assert_eq!(fails(net::Error::Denied { url: "https://a.example/".to_owned() }).0, 502);
        let logs: Vec<String> = host.logs().into_iter().map(|(_, text)| text).collect();
        assert_eq!(logs[0], "the kettle broke");
        assert!(logs[1].contains("https://a.example/ may not be opened"), "{logs:?}");
    }

    #[test]
    fn an_answer_that_breaks_off_is_the_other_servers_fault() {
        let host = Host::new()
            .cut("https://a.example/", "HTTP/1.1 200 OK\r\n\r\n[1,")
            .bytes("https://b.example/", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[1,");
        let body = |url| crate::http::get(url).unwrap().into_body();
        assert_eq!(fails(body("https://a.example/x").text().unwrap_err()).0, 502);
        assert_eq!(fails(body("https://b.example/").bytes_at_most(100).unwrap_err()).0, 502);
        #[cfg(feature = "json")]
        assert_eq!(fails(body("https://a.example/").json::<u8>().unwrap_err()).0, 502);
        for (_, text) in host.logs() {
            assert!(text.contains("https://"), "{text:?} does not say which answer broke off");
        }
        assert_eq!(host.logs()[0].1, "https://a.example/x: reading the response's body: unknown error");
    }

    #[test]
    fn what_a_handler_says_is_for_the_client() {
        let host = Host::new();
        assert_eq!(fails(Failure::new(StatusCode::IM_A_TEAPOT, "short")), (418, "short\n".to_owned()));
        assert_eq!(host.logs(), []);
        let result: Result<StatusCode, Failure> = Ok(StatusCode::ACCEPTED);
        assert_eq!(result.into_response().status(), 202);
    }
}
