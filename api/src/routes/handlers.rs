//! `/api/v1/handlers`: the handlers of a user and of the user's teams.

use std::sync::Arc;

use rocket::{State, delete, get, patch, post};
use serde_json::json;
use wasmcloud_wire::body::{Deployed, Handler, HandlerPatch, Role, Scope, Transfer};
use wasmcloud_wire::{Change, HandlerName, Timestamp};

use super::handler_name;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{Right, Target, handler_body, has_scope, is_unlimited};
use crate::guards::{Changing, EnvField, Json, Payload, PolicyField, Query};
use crate::reply::{Done, Reply, Result};

/// The handlers that the user can see, by name: the user's own and those of the user's teams, or of one team.
#[get("/handlers")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Vec<Handler>>> {
    has_scope(&caller, Scope::Read)?;
    query.only(&["team"])?;
    Reply::ok(app.core.visible_handlers(&caller, query.get("team")).await?)
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
    query.only(&["name", "forward_authorization", "team"])?;
    let name: HandlerName = query
        .get("name")
        .ok_or_else(|| {
            ApiError::new(422, "invalid_name", "a handler needs a name", "add `?name=NAME` to the address")
        })?
        .parse()?;
    let forward_authorization = query.parse("forward_authorization", "true or false")?.unwrap_or(false);
    let location = format!("/api/v1/handlers/{name}");
    let (policy, env) = (policy.0.unwrap_or_default(), env.0);
    let owner = app.core.account_for(&changing.caller, query.get("team"), Role::Deployer).await?;
    changing.new_handler(&name, owner, json!({ "bytes": module.0.len() })).await?;
    let target = Target::New { name, forward_authorization, policy, env };
    Reply::created(app.core.deploy(&app.invoker, owner, target, module.0).await?, location)
}

/// A handler.
#[get("/handlers/<name>")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Handler>> {
    let name = handler_name(name)?;
    let found = app.core.find(&caller, &name, Right::Read).await?;
    let row = app.core.store.handler(found.owner, &name).await?;
    let row = row.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?;
    Reply::ok(Handler { role: Some(found.role), ..handler_body(row, &app.core.config.edge_url) })
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

/// Gives a handler to a team, or a team's to one of its owners.
#[post("/handlers/<name>/transfer")]
pub(crate) async fn transfer(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Json<Transfer>,
) -> Result<Reply<Handler>> {
    let name = handler_name(name)?;
    let caller = &changing.caller;
    // It changes what two accounts have, and not only the handler.
    has_scope(caller, Scope::Admin)?;
    is_unlimited(caller)?;
    app.core.may(caller, &name, Right::Own).await?;
    let to = app.core.transfer_target(caller, &body.0.to).await?;
    let owner = changing.handler(&name, Right::Own, "handler.transfer", json!(&body.0)).await?;
    Reply::ok(app.core.transfer(&app.invoker, caller, owner, name, to).await?)
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
