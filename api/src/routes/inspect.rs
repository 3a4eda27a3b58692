//! `POST /api/v1/inspect`

use rocket::post;
use wasmcloud_wire::Inspection;

use crate::auth::Caller;
use crate::guards::Payload;
use crate::reply::{Reply, Result};

/// Says what a module is and asks for, and keeps nothing.
#[post("/inspect")]
pub(crate) async fn inspect(_caller: Caller, module: Payload) -> Result<Reply<Inspection>> {
    let (_, inspection) = crate::core::inspect(module.0).await?;
    Reply::ok(inspection)
}
