//! `/api/v1/handlers`: a user's handlers.

use std::sync::Arc;

use rocket::{State, delete, get, patch, post};
use wasmcloud_wire::body::{Deployed, Handler, HandlerPatch};
use wasmcloud_wire::{Change, HandlerName, Timestamp};

use super::{handler_name, own_handler};
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{Target, handler_body};
use crate::guards::{EnvField, Json, Payload, PolicyField, Query};
use crate::reply::{Done, Reply, Result};

/// The user's handlers by name.
#[get("/handlers")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller) -> Result<Reply<Vec<Handler>>> {
    let rows = app.core.store.handlers(caller.user.id).await?;
    Reply::ok(rows.into_iter().map(|row| handler_body(row, &app.core.config.edge_url)).collect())
}

/// Uploads a new handler's first module.
#[post("/handlers")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    caller: Caller,
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
    let target = Target::New { name, forward_authorization, policy, env };
    Reply::created(app.core.deploy(&app.invoker, caller.user.id, target, module.0).await?, location)
}

/// A handler.
#[get("/handlers/<name>")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Handler>> {
    let row = own_handler(&app.core, caller.user.id, &handler_name(name)?).await?;
    Reply::ok(handler_body(row, &app.core.config.edge_url))
}

/// Changes a handler's settings.
#[patch("/handlers/<name>")]
pub(crate) async fn patch(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    body: Json<HandlerPatch>,
) -> Result<Reply<Handler>> {
    let (name, user) = (handler_name(name)?, caller.user.id);
    let mut row = own_handler(&app.core, user, &name).await?;
    let not_found = || ApiError::handler_not_found(name.as_str());
    if let Some(on) = body.0.auto_rollback {
        row = app.core.store.set_auto_rollback(user, &name, on).await?.ok_or_else(not_found)?;
    }
    if let Some(recording) = body.0.recording {
        app.core.set_recording(&app.invoker, user, &name, recording).await?;
    }
    if let Some(forward) = body.0.forward_authorization {
        let changed = app.core.store.set_forward_authorization(user, &name, forward).await?;
        row = changed.ok_or_else(not_found)?;
        app.core.announce(&app.invoker, Change::Handler { name }).await;
    }
    Reply::ok(handler_body(row, &app.core.config.edge_url))
}

/// Deletes a handler.
#[delete("/handlers/<name>")]
pub(crate) async fn delete(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Done> {
    let name = handler_name(name)?;
    let hosts = app.core.store.hosts_of_handler(caller.user.id, &name).await?;
    if !app.core.store.delete_handler(caller.user.id, &name, Timestamp::now()).await? {
        return Err(ApiError::handler_not_found(name.as_str()));
    }
    app.core.announce(&app.invoker, Change::Handler { name }).await;
    // Its routes went with it.
    for host in hosts {
        app.core.announce(&app.invoker, Change::Host { host }).await;
    }
    Ok(Done)
}
