//! The list of handlers.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::Handler;

use crate::api::Refused;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

#[derive(Template)]
#[template(path = "handlers.html")]
struct HandlersPage {
    shell: Shell,
    handlers: Vec<Handler>,
}

/// All handlers that the person can see.
pub(crate) async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    let handlers = visitor.api.get("/api/v1/handlers").await?;
    Ok(page(StatusCode::OK, &HandlersPage { shell: visitor.shell("Handlers"), handlers }))
}
