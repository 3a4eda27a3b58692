//! Answers: pages, redirects, streams; each with the same protection.

use askama::Template;
use http::{HeaderValue, StatusCode, header};
use wasmcloud_listener::ResponseBody;

use crate::api::Refused;

/// What pages may load and do: our own scripts, styles and pictures, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// An answer of the panel.
pub(crate) type Response = http::Response<ResponseBody>;

/// A page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => text(status, "text/html; charset=utf-8", html),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                "this page is broken\n".to_owned(),
            )
        }
    }
}

/// A text of some kind.
pub(crate) fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    let mut response = http::Response::new(ResponseBody::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// On to another page, which the browser gets with `GET`.
pub(crate) fn see_other(to: &str) -> Response {
    let mut response = http::Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// The status of a form that is shown again, with why it was not taken.
pub(crate) fn form_status(error: Option<&Refused>) -> StatusCode {
    match error.map(|refused| refused.status) {
        None => StatusCode::OK,
        // Of a form, not of the page.
        Some(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(status) => status,
    }
}

/// Sets a cookie for this host alone, for so long; until the browser is closed if `None`.
pub(crate) fn set_cookie(response: &mut Response, name: &str, value: &str, seconds: Option<i64>) {
    let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let cookie = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// What every answer of the panel carries.
pub(crate) fn protect(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers
        .insert("permissions-policy", HeaderValue::from_static("camera=(), microphone=(), geolocation=()"));
}
