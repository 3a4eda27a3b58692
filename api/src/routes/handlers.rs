//! `/api/v1/handlers`: a user's handlers.

use std::sync::Arc;

use rocket::{State, delete, get, patch, post};
use serde_json::json;
use wasmcloud_wire::body::{Deployed, Handler, HandlerPatch, Scope};
use wasmcloud_wire::{Change, HandlerName, Timestamp};

use super::{handler_for, handler_name};
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{Right, Target, handler_body, has_scope};
use crate::guards::{Changing, EnvField, Json, Payload, PolicyField, Query};
use crate::reply::{Done, Reply, Result};

/// The user's handlers by name.
#[get("/handlers")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller) -> Result<Reply<Vec<Handler>>> {
    has_scope(&caller, Scope::Read)?;
    let mut rows = app.core.store.visible_handlers(caller.user.id).await?;
    rows.retain(|row| caller.reaches(&row.name));
    Reply::ok(rows.into_iter().map(|row| handler_body(row, &app.core.config.edge_url)).collect())
}

/// Uploads a new handler's first module.
#[post("/handlers")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    changing: Changing,
    query: Query,
    policy: PolicyField,
    env: EnvField,
    module: Payload,
) -> Result<Reply<Deployed>> {
    query.only(&["name", "forward_authorization"])?;
    let name: HandlerName = query
        .get("name")
        .ok_or_else(|| {
            ApiError::new(422, "invalid_name", "a handler needs a name", "add `?name=NAME` to the address")
        })?
        .parse()?;
    let forward_authorization = query.parse("forward_authorization", "true or false")?.unwrap_or(false);
    let location = format!("/api/v1/handlers/{name}");
    let (policy, env) = (policy.0.unwrap_or_default(), env.0);
    let owner = changing.caller.user.id;
    changing.new_handler(&name, owner, json!({ "bytes": module.0.len() })).await?;
    let target = Target::New { name, forward_authorization, policy, env };
    Reply::created(app.core.deploy(&app.invoker, owner, target, module.0).await?, location)
}

/// A handler.
#[get("/handlers/<name>")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Handler>> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    Reply::ok(handler_body(row, &app.core.config.edge_url))
}

/// Changes a handler's settings.
#[patch("/handlers/<name>")]
pub(crate) async fn patch(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Json<HandlerPatch>,
) -> Result<Reply<Handler>> {
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "handler.change", json!(&body.0)).await?;
    let not_found = || ApiError::handler_not_found(name.as_str());
    let mut row = app.core.store.handler(owner, &name).await?.ok_or_else(not_found)?;
    if let Some(on) = body.0.auto_rollback {
        row = app.core.store.set_auto_rollback(owner, &name, on).await?.ok_or_else(not_found)?;
    }
    if let Some(recording) = body.0.recording {
        app.core.set_recording(&app.invoker, owner, &name, recording).await?;
    }
    if let Some(forward) = body.0.forward_authorization {
        let changed = app.core.store.set_forward_authorization(owner, &name, forward).await?;
        row = changed.ok_or_else(not_found)?;
        app.core.announce(&app.invoker, Change::Handler { name }).await;
    }
    Reply::ok(handler_body(row, &app.core.config.edge_url))
}

/// Deletes a handler.
#[delete("/handlers/<name>")]
pub(crate) async fn delete(app: &State<Arc<App>>, changing: Changing, name: &str) -> Result<Done> {
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Own, "handler.delete", json!({})).await?;
    let hosts = app.core.store.hosts_of_handler(owner, &name).await?;
    if !app.core.store.delete_handler(owner, &name, Timestamp::now()).await? {
        return Err(ApiError::handler_not_found(name.as_str()));
    }
    app.core.announce(&app.invoker, Change::Handler { name }).await;
    // Its routes went with it.
    for host in hosts {
        app.core.announce(&app.invoker, Change::Host { host }).await;
    }
    Ok(Done)
}
