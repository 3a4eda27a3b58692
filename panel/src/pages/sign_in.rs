//! Signing in and out.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{LoginRequest, SessionGrant, SignIn};

use crate::api::Refused;
use crate::request::{Form, Request, SESSION_COOKIE};
use crate::response::{Response, page, see_other, set_cookie};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    shell: Shell,
    ways: SignIn,
    username: &'a str,
    next: &'a str,
    error: Option<Refused>,
}

/// The form.
pub(crate) async fn show(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let next = request.query("next").unwrap_or_default();
    if visitor.user.is_some() {
        return Ok(see_other(local(next)));
    }
    form_page(visitor, "", next, None).await
}

/// The form, filled in.
pub(crate) async fn send(_: &Request, visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let login = LoginRequest {
        username: form.get("username").trim().to_owned(),
        password: form.get("password").to_owned(),
    };
    let next = form.get("next");
    match visitor.api.send::<SessionGrant>(Method::POST, "/api/v1/sessions", &login).await {
        Ok(session) => Ok(signed_in(&session, next)),
        Err(refused) => form_page(visitor, &login.username, next, Some(refused)).await,
    }
}

/// Ends the session.
pub(crate) async fn out(visitor: &Visitor) -> Result<Response, Refused> {
    if visitor.user.is_some() {
        visitor.api.act(Method::POST, "/api/v1/logout").await?;
    }
    let mut response = visitor.done("/sign-in", "You are signed out.");
    set_cookie(&mut response, SESSION_COOKIE, "", Some(0));
    Ok(response)
}

/// On, with the session's cookie.
pub(crate) fn signed_in(session: &SessionGrant, next: &str) -> Response {
    let mut response = see_other(local(next));
    let seconds = session.expires_at.0.saturating_sub(Timestamp::now().0) / 1000;
    set_cookie(&mut response, SESSION_COOKIE, &session.secret, Some(seconds.max(0)));
    response
}

/// A path of this panel, whatever was asked for: never another site.
fn local(next: &str) -> &str {
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if is_path { next } else { "/handlers" }
}

async fn form_page(
    visitor: &Visitor,
    username: &str,
    next: &str,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let ways = visitor.api.get("/api/v1/sign-in").await?;
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    // A browser would ask for a name and a password of its own.
    let status = if status == StatusCode::UNAUTHORIZED { StatusCode::UNPROCESSABLE_ENTITY } else { status };
    Ok(page(status, &SignInPage { shell: visitor.shell("Sign in"), ways, username, next, error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_signs_in_stays_on_this_site() {
        assert_eq!(local("/handlers/hello"), "/handlers/hello");
        for elsewhere in
            ["", "https://example.com/", "//example.com", "/\\example.com", "javascript:alert(1)", "/a\r\nb"]
        {
            assert_eq!(local(elsewhere), "/handlers", "{elsewhere}");
        }
    }
}
