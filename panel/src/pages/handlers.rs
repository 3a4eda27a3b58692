//! The list of handlers.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::Handler;

use crate::api::Refused;
use crate::request::{Form, Request};
use crate::response::{Response, page};
use crate::router::not_found;
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers.html")]
struct HandlersPage {
    shell: Shell,
    handlers: Vec<Handler>,
}

/// A page about handlers; `rest` is what follows `/handlers`.
pub(crate) async fn show(_: &Request, rest: &[&str], visitor: &Visitor) -> Result<Response, Refused> {
    match rest {
        [] => list(visitor).await,
        _ => Err(not_found()),
    }
}

/// A form of one of them.
pub(crate) async fn send(_: &Request, _: &[&str], _: &Visitor, _: &Form) -> Result<Response, Refused> {
    Err(not_found())
}

/// All handlers that the person can see.
async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    let handlers = visitor.api.get("/api/v1/handlers").await?;
    Ok(page(StatusCode::OK, &HandlersPage { shell: visitor.shell("Handlers"), handlers }))
}
