//! `/api/v1/routes`: the paths below a user's hosts that lead to handlers.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use wasmcloud_wire::HostName;
use wasmcloud_wire::body::{NewRoute, Route, Routed};

use super::hosts::AskedHost;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::guards::{Json, Query};
use crate::reply::{Done, Reply, Result};

/// The user's routes, or those of one host.
#[get("/routes")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Vec<Route>>> {
    query.only(&["host"])?;
    let host: Option<HostName> = query.parse("host", "a host's name")?;
    Reply::ok(app.core.host_routes(caller.user.id, host.as_ref()).await?)
}

/// Adds a route, and its host if it is not there.
#[post("/routes")]
pub(crate) async fn add(
    app: &State<Arc<App>>,
    caller: Caller,
    asked: AskedHost,
    body: Json<NewRoute>,
) -> Result<Reply<Routed>> {
    let own = asked.0.as_deref();
    Reply::created(app.core.add_route(&app.invoker, caller.user.id, &body.0, own).await?, None)
}

/// Removes a route.
#[delete("/routes")]
pub(crate) async fn remove(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Done> {
    query.only(&["host", "path"])?;
    let host = query.get("host").ok_or_else(|| {
        ApiError::invalid("it is not said which route", "add `?host=api.example.com&path=/v1` to the address")
    })?;
    let path = query.get("path").unwrap_or("/");
    app.core.remove_route(&app.invoker, caller.user.id, host, path).await?;
    Ok(Done)
}
