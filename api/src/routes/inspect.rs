//! `POST /api/v1/inspect`

use std::sync::Arc;

use rocket::{State, post};
use wasmcloud_wire::Inspection;
use wasmcloud_wire::body::Scope;

use crate::app::App;
use crate::auth::Caller;
use crate::core::has_scope;
use crate::guards::Payload;
use crate::reply::{Reply, Result};

/// Says what a module is and asks for, and keeps nothing.
#[post("/inspect")]
pub(crate) async fn inspect(
    app: &State<Arc<App>>,
    caller: Caller,
    module: Payload,
) -> Result<Reply<Inspection>> {
    has_scope(&caller, Scope::Deploy)?;
    let (_, inspection) = crate::core::inspect(module.0, app.core.config.limits.clone()).await??;
    Reply::ok(inspection)
}
