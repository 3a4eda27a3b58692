//! `/api/v1/routes`: the paths below an account's hosts that lead to its handlers.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use serde_json::json;
use wasmcloud_wire::body::{NewRoute, Role, Route, Routed, Scope};
use wasmcloud_wire::{HostName, UserId};

use super::hosts::AskedHost;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::{has_scope, is_unlimited};
use crate::guards::{Changing, Json, Query};
use crate::reply::{Done, Reply, Result};

/// The account whose routes are to be changed: host and handler are the same account's.
async fn to_change(app: &App, caller: &Caller, query: &Query) -> Result<UserId> {
    has_scope(caller, Scope::Deploy)?;
    is_unlimited(caller)?;
    app.core.account_for(caller, query.get("team"), Role::Deployer).await
}

/// An account's routes, or those of one host.
#[get("/routes")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Vec<Route>>> {
    has_scope(&caller, Scope::Read)?;
    query.only(&["host", "team"])?;
    let host: Option<HostName> = query.parse("host", "a host's name")?;
    let owner = app.core.account_for(&caller, query.get("team"), Role::Viewer).await?;
    let mut routes = app.core.host_routes(owner, host.as_ref()).await?;
    routes.retain(|route| caller.reaches(&route.handler));
    Reply::ok(routes)
}

/// Adds a route, and its host if it is not there.
#[post("/routes")]
pub(crate) async fn add(
    app: &State<Arc<App>>,
    changing: Changing,
    asked: AskedHost,
    query: Query,
    body: Json<NewRoute>,
) -> Result<Reply<Routed>> {
    query.only(&["team"])?;
    let (own, owner) = (asked.0.as_deref(), to_change(app, &changing.caller, &query).await?);
    app.core.may_add_route(owner, &body.0, own)?;
    changing.other(Scope::Deploy, owner, "route.add", &body.0.host, json!(&body.0)).await?;
    Reply::created(app.core.add_route(&app.invoker, owner, &body.0, own).await?, None)
}

/// Removes a route.
#[delete("/routes")]
pub(crate) async fn remove(app: &State<Arc<App>>, changing: Changing, query: Query) -> Result<Done> {
    query.only(&["host", "path", "team"])?;
    let host = query.get("host").ok_or_else(|| {
        ApiError::invalid("it is not said which route", "add `?host=api.example.com&path=/v1` to the address")
    })?;
    let path = query.get("path").unwrap_or("/");
    let owner = to_change(app, &changing.caller, &query).await?;
    changing.other(Scope::Deploy, owner, "route.remove", host, json!({ "path": path })).await?;
    app.core.remove_route(&app.invoker, owner, host, path).await?;
    Ok(Done)
}
