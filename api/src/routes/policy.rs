//! `/api/v1/handlers/N/policy`: what a handler may open and use.

use std::sync::Arc;

use rocket::{State, get, patch, put};
use serde_json::json;
use wasmcloud_wire::{Policy, PolicyPatch, Timestamp};

use super::{handler_for, handler_name};
use crate::app::App;
use crate::auth::Caller;
use crate::core::Right;
use crate::guards::{Changing, Json, Query};
use crate::reply::{Reply, Result};

/// A handler's policy.
#[get("/handlers/<name>/policy")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Policy>> {
    Reply::ok(handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?.policy)
}

/// Gives a handler another policy.
#[put("/handlers/<name>/policy")]
pub(crate) async fn replace(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Json<Policy>,
) -> Result<Reply<Policy>> {
    let (name, policy) = (handler_name(name)?, body.0);
    let owner = changing.handler(&name, Right::Deploy, "policy.replace", json!(&policy)).await?;
    Reply::ok(app.core.edit_policy(&app.invoker, owner, name, |_| policy.clone()).await?)
}

/// Changes a handler's policy.
#[patch("/handlers/<name>/policy")]
pub(crate) async fn change(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Json<PolicyPatch>,
) -> Result<Reply<Policy>> {
    let (name, patch) = (handler_name(name)?, body.0);
    let owner = changing.handler(&name, Right::Deploy, "policy.change", json!(&patch)).await?;
    Reply::ok(app.core.edit_policy(&app.invoker, owner, name, |policy| patch.apply(policy)).await?)
}

/// The smallest policy that would have allowed what ran.
#[get("/handlers/<name>/policy/learned")]
pub(crate) async fn learned(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
) -> Result<Reply<Policy>> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    query.only(&["since"])?;
    let since = query.parse("since", "a time in milliseconds since 1970")?.map(Timestamp);
    Reply::ok(app.core.learned_policy(row, since).await?)
}
