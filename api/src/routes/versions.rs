//! `/api/v1/handlers/N/module`, `/versions`, `/promote`

use std::sync::Arc;

use rocket::{State, get, post, put};
use wasmcloud_wire::body::{Deployed, Promote, Promoted, Version};
use wasmcloud_wire::{HandlerName, RouteKey};

use super::handler_name;
use crate::app::App;
use crate::auth::Caller;
use crate::core::Target;
use crate::guards::{EnvField, Json, Payload, PolicyField};
use crate::reply::{Reply, Result};
use crate::store::VersionRow;
use crate::{ApiError, EdgeUrl};

/// Uploads a handler's next version and makes it live.
#[put("/handlers/<name>/module")]
pub(crate) async fn upload(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    policy: PolicyField,
    env: EnvField,
    module: Payload,
) -> Result<Reply<Deployed>> {
    let name = handler_name(name)?;
    let location = format!("/api/v1/handlers/{name}");
    let target = Target::Existing { name, policy: policy.0, env: env.0 };
    Reply::created(app.core.deploy(&app.invoker, caller.user.id, target, module.0).await?, location)
}

/// A handler's versions, newest first.
#[get("/handlers/<name>/versions")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Vec<Version>>> {
    let name = handler_name(name)?;
    let rows = app.core.store.versions(caller.user.id, &name).await?;
    let rows = rows.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
    Reply::ok(rows.into_iter().map(|row| version_body(row, &name, &app.core.config.edge_url)).collect())
}

/// Makes a version live.
#[post("/handlers/<name>/promote")]
pub(crate) async fn promote(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    body: Json<Promote>,
) -> Result<Reply<Promoted>> {
    let (name, version) = (handler_name(name)?, body.0.version);
    Reply::ok(app.core.promote(&app.invoker, caller.user.id, name, version).await?)
}

fn version_body(row: VersionRow, name: &HandlerName, edge: &EdgeUrl) -> Version {
    Version {
        url: edge.url(&RouteKey { handler: name.clone(), version: Some(row.number) }),
        number: row.number,
        digest: row.digest,
        abi: row.abi,
        size_bytes: row.size_bytes,
        live: row.live,
        created_at: row.created_at,
    }
}
