//! Changing the password.

use askama::Template;
use http::Method;
use wasmcloud_wire::body::{Account, ChangePassword};

use crate::api::Refused;
use crate::pages::reset::same_twice;
use crate::request::Form;
use crate::response::{Response, form_status, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "account/password.html")]
struct PasswordPage {
    shell: Shell,
    account: Account,
    revoke_tokens: bool,
    error: Option<Refused>,
}

/// The form.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    form_page(visitor, false, None).await
}

/// The form, filled in.
pub(super) async fn send(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    let change = ChangePassword {
        old: Some(form.get("old")).filter(|old| !old.is_empty()).map(str::to_owned),
        new: form.get("password").to_owned(),
        revoke_tokens: form.ticked("revoke_tokens"),
    };
    let outcome = match same_twice(form) {
        Ok(()) => visitor.api.tell(Method::PUT, "/api/v1/account/password", &change).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(()) if change.revoke_tokens => Ok(visitor.done(
            "/account",
            "Your password is changed. All your other sessions, and your tokens, have ended.",
        )),
        Ok(()) => {
            Ok(visitor.done("/account", "Your password is changed. All your other sessions have ended."))
        }
        Err(refused) => form_page(visitor, change.revoke_tokens, Some(refused)).await,
    }
}

async fn form_page(
    visitor: &Visitor,
    revoke_tokens: bool,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let account = visitor.api.get("/api/v1/account").await?;
    let status = form_status(error.as_ref());
    Ok(page(status, &PasswordPage { shell: visitor.shell("Password"), account, revoke_tokens, error }))
}
