//! `/api/v1/handlers/N/env`: a handler's own settings, whose secret values are written only.

use std::sync::Arc;

use rocket::{State, delete, get, patch, put};
use wasmcloud_wire::{Env, EnvPatch, NewSetting, Setting};

use super::handler_name;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::guards::Unquoted;
use crate::reply::{Done, Reply, Result};

/// A handler's settings by name.
#[get("/handlers/<name>/env")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Env>> {
    Reply::ok(app.core.env(caller.user.id, &handler_name(name)?).await?)
}

/// Changes several settings at once, or none.
#[patch("/handlers/<name>/env")]
pub(crate) async fn change(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    body: Unquoted<EnvPatch>,
) -> Result<Reply<Env>> {
    Reply::ok(app.core.edit_env(&app.invoker, caller.user.id, handler_name(name)?, &body.0).await?)
}

/// Sets one setting.
#[put("/handlers/<name>/env/<setting>")]
pub(crate) async fn set(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    setting: &str,
    body: Unquoted<NewSetting>,
) -> Result<Reply<Setting>> {
    let patch = EnvPatch { set: [(setting.to_owned(), body.0)].into(), unset: Vec::new() };
    let env = app.core.edit_env(&app.invoker, caller.user.id, handler_name(name)?, &patch).await?;
    let set = env.settings.into_iter().find(|one| one.name == setting);
    Reply::ok(set.ok_or_else(|| ApiError::internal("a setting vanished within its transaction"))?)
}

/// Removes one setting.
#[delete("/handlers/<name>/env/<setting>")]
pub(crate) async fn unset(app: &State<Arc<App>>, caller: Caller, name: &str, setting: &str) -> Result<Done> {
    let patch = EnvPatch { unset: vec![setting.to_owned()], ..EnvPatch::default() };
    app.core.edit_env(&app.invoker, caller.user.id, handler_name(name)?, &patch).await?;
    Ok(Done)
}
