//! `/api/v1/routes`: the paths below a user's hosts that lead to handlers.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use serde_json::json;
use wasmcloud_wire::HostName;
use wasmcloud_wire::body::{NewRoute, Route, Routed, Scope};

use super::hosts::AskedHost;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::has_scope;
use crate::guards::{Changing, Json, Query};
use crate::reply::{Done, Reply, Result};

/// The user's routes, or those of one host.
#[get("/routes")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Vec<Route>>> {
    has_scope(&caller, Scope::Read)?;
    query.only(&["host"])?;
    let host: Option<HostName> = query.parse("host", "a host's name")?;
    Reply::ok(app.core.host_routes(caller.user.id, host.as_ref()).await?)
}

/// Adds a route, and its host if it is not there.
#[post("/routes")]
pub(crate) async fn add(
    app: &State<Arc<App>>,
    changing: Changing,
    asked: AskedHost,
    body: Json<NewRoute>,
) -> Result<Reply<Routed>> {
    let (own, owner) = (asked.0.as_deref(), changing.caller.user.id);
    changing.other(Scope::Deploy, owner, "route.add", &body.0.host, json!(&body.0)).await?;
    Reply::created(app.core.add_route(&app.invoker, owner, &body.0, own).await?, None)
}

/// Removes a route.
#[delete("/routes")]
pub(crate) async fn remove(app: &State<Arc<App>>, changing: Changing, query: Query) -> Result<Done> {
    query.only(&["host", "path"])?;
    let host = query.get("host").ok_or_else(|| {
        ApiError::invalid("it is not said which route", "add `?host=api.example.com&path=/v1` to the address")
    })?;
    let path = query.get("path").unwrap_or("/");
    let owner = changing.caller.user.id;
    changing.other(Scope::Deploy, owner, "route.remove", host, json!({ "path": path })).await?;
    app.core.remove_route(&app.invoker, owner, host, path).await?;
    Ok(Done)
}
