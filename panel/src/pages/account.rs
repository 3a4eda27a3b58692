//! A user's own account: who it is, and what belongs to it.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::Account;

use crate::api::Refused;
use crate::request::{Form, Request};
use crate::response::{Response, page};
use crate::router::not_found;
use crate::shell::{Shell, Visitor};

mod identities;
mod password;
pub(crate) mod quota;
mod sessions;
pub(crate) mod tokens;

/// The pages of an account, in order.
pub(crate) const TABS: [(&str, &str); 6] = [
    ("/account", "Overview"),
    ("/account/password", "Password"),
    ("/account/tokens", "Tokens"),
    ("/account/sessions", "Sessions"),
    ("/account/identities", "Identities"),
    ("/account/quota", "Quotas"),
];

#[derive(Template)]
#[template(path = "account/overview.html")]
struct Overview {
    shell: Shell,
    account: Account,
}

/// A page of the account; `rest` is what follows `/account`.
pub(crate) async fn show(_: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    visitor.known()?;
    match rest {
        [] => {
            let account = visitor.api.get("/api/v1/account").await?;
            Ok(page(StatusCode::OK, &Overview { shell: visitor.shell("Account"), account }))
        }
        ["password"] => password::show(visitor).await,
        ["tokens"] => tokens::show(visitor).await,
        ["sessions"] => sessions::show(visitor).await,
        ["identities"] => identities::show(visitor).await,
        ["quota"] => quota::show(visitor).await,
        _ => Err(not_found()),
    }
}

/// A form of one of them.
pub(crate) async fn send(
    _: &Request,
    rest: &[&str],
    visitor: &Visitor,
    form: &Form,
) -> Result<Response, Refused> {
    visitor.known()?;
    match rest {
        ["password"] => password::send(visitor, form).await,
        ["tokens"] => tokens::create(visitor, form).await,
        ["tokens", id, "revoke"] => tokens::revoke(visitor, id).await,
        ["sessions", "end-others"] => sessions::end_others(visitor).await,
        ["sessions", id, "end"] => sessions::end(visitor, id).await,
        ["identities", "link", provider] => identities::link(visitor, provider).await,
        ["identities", id, "unlink"] => identities::unlink(visitor, id).await,
        ["quota"] => quota::apply(visitor, form).await,
        _ => Err(not_found()),
    }
}
