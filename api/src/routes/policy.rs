//! `/api/v1/handlers/N/policy`: what a handler may open and use.

use std::sync::Arc;

use rocket::{State, get, patch, put};
use wasmcloud_wire::{Policy, PolicyPatch, Timestamp};

use super::{handler_name, own_handler};
use crate::app::App;
use crate::auth::Caller;
use crate::guards::{Json, Query};
use crate::reply::{Reply, Result};

/// A handler's policy.
#[get("/handlers/<name>/policy")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Policy>> {
    Reply::ok(own_handler(&app.core, caller.user.id, &handler_name(name)?).await?.policy)
}

/// Gives a handler another policy.
#[put("/handlers/<name>/policy")]
pub(crate) async fn replace(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    body: Json<Policy>,
) -> Result<Reply<Policy>> {
    let (name, policy) = (handler_name(name)?, body.0);
    Reply::ok(app.core.edit_policy(&app.invoker, caller.user.id, name, |_| policy.clone()).await?)
}

/// Changes a handler's policy.
#[patch("/handlers/<name>/policy")]
pub(crate) async fn change(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    body: Json<PolicyPatch>,
) -> Result<Reply<Policy>> {
    let (name, patch) = (handler_name(name)?, body.0);
    Reply::ok(app.core.edit_policy(&app.invoker, caller.user.id, name, |policy| patch.apply(policy)).await?)
}

/// The smallest policy that would have allowed what ran.
#[get("/handlers/<name>/policy/learned")]
pub(crate) async fn learned(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
) -> Result<Reply<Policy>> {
    let row = own_handler(&app.core, caller.user.id, &handler_name(name)?).await?;
    query.only(&["since"])?;
    let since = query.parse("since", "a time in milliseconds since 1970")?.map(Timestamp);
    Reply::ok(app.core.learned_policy(row, since).await?)
}
