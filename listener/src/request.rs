//! Where a request comes from, and which requests never reach the service.

use std::net::SocketAddr;

use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::ResponseBody;

/// Both ends of the connection that a request came by; of one that came through a proxy that is believed, as that says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address.
    pub addr: SocketAddr,
    /// Whether the client's connection is encrypted.
    pub tls: bool,
    /// The address that the client connected to.
    pub local: SocketAddr,
}

/// The answer to a request that no service should see; `None` if it is fine.
pub(crate) fn refuse<B>(request: &Request<B>, target_bytes_max: usize) -> Option<Response<ResponseBody>> {
    // RFC 9112 section 3.2: exactly one Host field, which HTTP/1.0 may leave out.
    let mut hosts = request.headers().get_all(HOST).iter();
    let first = hosts.next();
    if first.is_none() && request.version() == Version::HTTP_11 {
        return Some(answer(StatusCode::BAD_REQUEST, "the Host field is missing\n"));
    }
    if hosts.next().is_some() {
        return Some(answer(StatusCode::BAD_REQUEST, "there is more than one Host field\n"));
    }
    if request.method() == Method::CONNECT {
        return Some(answer(
            StatusCode::NOT_IMPLEMENTED,
            "this server is no proxy: CONNECT is not supported\n",
        ));
    }
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > target_bytes_max {
        return Some(answer(StatusCode::URI_TOO_LONG, "path and query are too long\n"));
    }
    None
}

/// A short answer that ends its connection.
pub(crate) fn answer(status: StatusCode, text: &'static str) -> Response<ResponseBody> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
