//! Which page a request is for.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use wasmcloud_wire::ErrorDetail;

use crate::api::{Api, Refused};
use crate::assets;
use crate::pages::{account, device, handlers, oidc, operator, register, reset, sign_in, teams};
use crate::request::{Form, Request};
use crate::response::{Response, protect, see_other};
use crate::shell::Visitor;

/// Answers a request for a page.
pub(crate) async fn answer(request: http::Request<Bytes>, api: Arc<dyn Api>) -> Response {
    let (parts, body) = request.into_parts();
    let request = Request::new(parts, body);
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let mut response = match (&request.method, segments.as_slice()) {
        (&Method::GET | &Method::HEAD, ["assets", hash, name]) => match assets::answer(hash, name) {
            Some(asset) => asset,
            None => page_for(&request, &segments, api).await,
        },
        _ => page_for(&request, &segments, api).await,
    };
    protect(&mut response);
    response
}

async fn page_for(request: &Request, segments: &[&str], api: Arc<dyn Api>) -> Response {
    let (visitor, mut response) = match Visitor::of(request, api).await {
        Err((visitor, refused)) => {
            let response = visitor.refused(&refused);
            (visitor, response)
        }
        Ok(visitor) => {
            let response = match request.method {
                Method::GET | Method::HEAD => shown(request, segments, &visitor).await,
                Method::POST => sent(request, segments, &visitor).await,
                _ => Err(method_not_allowed()),
            };
            let response = response.unwrap_or_else(|refused| visitor.refused(&refused));
            (visitor, response)
        }
    };
    visitor.finish(request, &mut response);
    response
}

/// Pages that are looked at.
async fn shown(request: &Request, segments: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    match segments {
        [] => Ok(see_other(if visitor.user.is_some() { "/handlers" } else { "/sign-in" })),
        ["sign-in"] => sign_in::show(request, visitor).await,
        ["sign-in", provider, "callback"] => oidc::callback(request, visitor, provider).await,
        ["register"] => register::show(request, visitor).await,
        ["reset"] => reset::show(request, visitor).await,
        ["device", rest @ ..] => device::show(request, rest, visitor).await,
        ["account", rest @ ..] => account::show(request, rest, visitor).await,
        ["teams", rest @ ..] => teams::show(request, rest, visitor).await,
        ["handlers", rest @ ..] => handlers::show(request, rest, visitor).await,
        ["operator", rest @ ..] => operator::show(request, rest, visitor).await,
        _ => Err(not_found()),
    }
}

/// Forms that are sent.
async fn sent(request: &Request, segments: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    let form = request.form().await.map_err(|error| {
        said(StatusCode::BAD_REQUEST, "bad_form", &error.to_string(), "send the form again")
    })?;
    if !visitor.sent(request, &form) {
        // The session has ended since the form was shown, and with it what the form was tied to.
        return if visitor.is_over { Ok(visitor.to_sign_in()) } else { Err(not_ours()) };
    }
    post(request, segments, visitor, &form).await
}

async fn post(
    request: &Request,
    segments: &[&str],
    visitor: &Visitor,
    form: &Form,
) -> Result<Response, Refused> {
    match segments {
        ["sign-in"] => sign_in::send(request, visitor, form).await,
        ["sign-in", provider] => oidc::begin(visitor, provider, form.get("next"), false).await,
        ["sign-in", provider, "register"] => oidc::register(visitor, provider, form).await,
        ["sign-out"] => sign_in::out(visitor).await,
        ["register"] => register::send(visitor, form).await,
        ["reset"] => reset::send(visitor, form).await,
        ["device"] => device::send(visitor, form).await,
        ["account", rest @ ..] => account::send(request, rest, visitor, form).await,
        ["teams", rest @ ..] => teams::send(request, rest, visitor, form).await,
        ["handlers", rest @ ..] => handlers::send(request, rest, visitor, form).await,
        ["operator", rest @ ..] => operator::send(request, rest, visitor, form).await,
        _ => Err(not_found()),
    }
}

/// A problem of the panel's own.
pub(crate) fn said(status: StatusCode, code: &str, message: &str, hint: &str) -> Refused {
    let (code, message, hint) = (code.to_owned(), message.to_owned(), hint.to_owned());
    Refused { status, error: ErrorDetail { code, message, hint, request_id: String::new() } }
}

/// No page.
pub(crate) fn not_found() -> Refused {
    said(StatusCode::NOT_FOUND, "not_found", "there is no page at this address", "go to your handlers")
}

fn method_not_allowed() -> Refused {
    said(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "pages are looked at, or sent forms",
        "go back",
    )
}

fn not_ours() -> Refused {
    said(
        StatusCode::FORBIDDEN,
        "form_expired",
        "this form was not sent from a page of this panel that is still good: you have signed in or out since, or the \
         browser keeps no cookies",
        "go back, load the page again, and send the form once more",
    )
}
