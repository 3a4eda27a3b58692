//! A new password, for whoever was given a code by an operator.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::ResetPassword;

use crate::api::Refused;
use crate::request::{Form, Request, SESSION_COOKIE};
use crate::response::{Response, form_status, page, set_cookie};
use crate::router::said;
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    shell: Shell,
    code: &'a str,
    error: Option<Refused>,
}

/// The form.
pub(crate) async fn show(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    Ok(form_page(visitor, request.query("code").unwrap_or_default(), None))
}

/// The form, filled in.
pub(crate) async fn send(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let code = form.get("code").trim();
    if let Err(refused) = same_twice(form) {
        return Ok(form_page(visitor, code, Some(refused)));
    }
    let reset = ResetPassword { code: code.to_owned(), password: form.get("password").to_owned() };
    match visitor.api.tell(Method::POST, "/api/v1/reset", &reset).await {
        Ok(()) => {
            let sentence =
                "Your new password is set. All your sessions and tokens have ended: sign in with it.";
            let mut response = visitor.done("/sign-in", sentence);
            set_cookie(&mut response, SESSION_COOKIE, "", Some(0));
            Ok(response)
        }
        Err(refused) => Ok(form_page(visitor, code, Some(refused))),
    }
}

/// Whether a new password was typed the same way twice.
pub(crate) fn same_twice(form: &Form) -> Result<(), Refused> {
    if form.get("password") == form.get("again") {
        return Ok(());
    }
    let message = "the two passwords are not the same";
    Err(said(
        StatusCode::UNPROCESSABLE_ENTITY,
        "passwords_differ",
        message,
        "type the new password again, twice",
    ))
}

fn form_page(visitor: &Visitor, code: &str, error: Option<Refused>) -> Response {
    let status = form_status(error.as_ref());
    page(status, &ResetPage { shell: visitor.shell("Set a new password"), code, error })
}
