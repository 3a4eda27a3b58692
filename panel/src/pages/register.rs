//! Making an account with a name and a password.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{LoginRequest, RegisterRequest, SessionGrant, SignIn, TokenGrant};

use super::reset::same_twice;
use super::sign_in;
use crate::api::{Refused, path};
use crate::request::{Form, Request};
use crate::response::{Response, form_status, page, see_other};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    shell: Shell,
    ways: SignIn,
    username: &'a str,
    invitation: &'a str,
    error: Option<Refused>,
}

/// The form, by what the server asks of newcomers.
pub(crate) async fn show(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    if visitor.user.is_some() {
        return Ok(see_other("/handlers"));
    }
    form_page(visitor, "", request.query("invitation").unwrap_or_default(), None).await
}

/// The form, filled in.
pub(crate) async fn send(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let newcomer = RegisterRequest {
        username: form.get("username").trim().to_owned(),
        password: form.get("password").to_owned(),
        invitation: form.given("invitation").map(str::to_owned),
    };
    let outcome = match same_twice(form) {
        Ok(()) => registered(visitor, &newcomer).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(session) => Ok(sign_in::signed_in(visitor, &session, "/handlers").await),
        Err(refused) => form_page(visitor, &newcomer.username, form.get("invitation"), Some(refused)).await,
    }
}

/// The new user's session. The API answers a registration with a token, for the command line; the panel has no use for
/// it, so it ends at once.
async fn registered(visitor: &Visitor, newcomer: &RegisterRequest) -> Result<SessionGrant, Refused> {
    let token: TokenGrant = visitor.api.send(Method::POST, "/api/v1/register", newcomer).await?;
    let login = LoginRequest { username: newcomer.username.clone(), password: newcomer.password.clone() };
    let session: SessionGrant = visitor.api.send(Method::POST, "/api/v1/sessions", &login).await?;
    let api = visitor.api.with_session(&session.secret);
    if let Err(refused) = api.act(Method::DELETE, &path(&["tokens", &token.id.to_string()])).await {
        tracing::warn!(code = refused.error.code, "the token of a registration could not be revoked");
    }
    Ok(session)
}

async fn form_page(
    visitor: &Visitor,
    username: &str,
    invitation: &str,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let ways: SignIn = visitor.api.get("/api/v1/sign-in").await?;
    let is_off = ways.registration == "off" && error.is_none();
    let status = if is_off { StatusCode::FORBIDDEN } else { form_status(error.as_ref()) };
    let shell = visitor.shell("Make an account");
    Ok(page(status, &RegisterPage { shell, ways, username, invitation, error }))
}
