//! Pages for whoever operates the installation. For everybody else there are none.

mod amounts;
mod audit;
mod executors;
mod invitations;
mod overview;
mod plans;
mod requests;
mod user;
mod users;

use crate::api::Refused;
use crate::request::{Form, Request};
use crate::response::Response;
use crate::router::{not_found, said};
use crate::shell::Visitor;

use http::StatusCode;

/// A page for operators; `rest` is what follows `/operator`.
pub(crate) async fn show(request: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    is_operator(visitor)?;
    match rest {
        [] => overview::show(visitor).await,
        ["users"] => users::list(request, visitor).await,
        ["users", name] => user::show(visitor, name).await,
        ["invitations"] => invitations::list(visitor).await,
        ["plans"] => plans::list(visitor).await,
        ["plans", name] => plans::edit(visitor, name).await,
        ["requests"] => requests::list(visitor).await,
        ["executors"] => executors::list(visitor).await,
        ["audit"] => audit::list(request, visitor).await,
        ["audit", "export"] => audit::export(request, visitor).await,
        _ => Err(not_found()),
    }
}

/// A form of one of them.
pub(crate) async fn send(
    request: &Request,
    rest: &[&str],
    visitor: &Visitor,
    form: &Form,
) -> Result<Response, Refused> {
    is_operator(visitor)?;
    match rest {
        ["users", name, action] => user::send(visitor, name, action, form).await,
        ["invitations"] => invitations::create(request, visitor).await,
        ["invitations", id, "revoke"] => invitations::revoke(visitor, id).await,
        ["plans"] => plans::create(visitor, form).await,
        ["plans", name] => plans::save(visitor, name, form).await,
        ["plans", name, "delete"] => plans::delete(visitor, name).await,
        ["requests", id] => requests::decide(visitor, id, form).await,
        _ => Err(not_found()),
    }
}

/// Lets operators through. Whoever is not signed in is asked to; for others there is no such page.
fn is_operator(visitor: &Visitor) -> Result<(), Refused> {
    match &visitor.user {
        Some(user) if user.is_admin => Ok(()),
        Some(_) => Err(not_found()),
        None => {
            Err(said(StatusCode::UNAUTHORIZED, "not_signed_in", "you are not signed in", "sign in first"))
        }
    }
}
