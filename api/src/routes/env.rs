//! `/api/v1/handlers/N/env`: a handler's own settings, whose secret values are written only.

use std::sync::Arc;

use rocket::{State, delete, get, patch, put};
use serde_json::{Value, json};
use wasmcloud_wire::limits::ENV_ENTRIES_MAX;
use wasmcloud_wire::{Env, EnvPatch, NewSetting, Setting};

use super::handler_name;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::Right;
use crate::guards::{Changing, Unquoted};
use crate::reply::{Done, Reply, Result};

/// A handler's settings by name.
#[get("/handlers/<name>/env")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller, name: &str) -> Result<Reply<Env>> {
    let name = handler_name(name)?;
    let owner = app.core.may(&caller, &name, Right::Read).await?;
    Reply::ok(app.core.env(owner, &name).await?)
}

/// Changes several settings at once, or none.
#[patch("/handlers/<name>/env")]
pub(crate) async fn change(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    body: Unquoted<EnvPatch>,
) -> Result<Reply<Env>> {
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "env.change", names(&body.0)).await?;
    Reply::ok(app.core.edit_env(&app.invoker, owner, name, &body.0).await?)
}

/// Sets one setting.
#[put("/handlers/<name>/env/<setting>")]
pub(crate) async fn set(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    setting: &str,
    body: Unquoted<NewSetting>,
) -> Result<Reply<Setting>> {
    let patch = EnvPatch { set: [(setting.to_owned(), body.0)].into(), unset: Vec::new() };
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "env.set", names(&patch)).await?;
    let env = app.core.edit_env(&app.invoker, owner, name, &patch).await?;
    let set = env.settings.into_iter().find(|one| one.name == setting);
    Reply::ok(set.ok_or_else(|| ApiError::internal("a setting vanished within its transaction"))?)
}

/// Removes one setting.
#[delete("/handlers/<name>/env/<setting>")]
pub(crate) async fn unset(
    app: &State<Arc<App>>,
    changing: Changing,
    name: &str,
    setting: &str,
) -> Result<Done> {
    let patch = EnvPatch { unset: vec![setting.to_owned()], ..EnvPatch::default() };
    let name = handler_name(name)?;
    let owner = changing.handler(&name, Right::Deploy, "env.unset", names(&patch)).await?;
    app.core.edit_env(&app.invoker, owner, name, &patch).await?;
    Ok(Done)
}

/// What of a change of settings is noted: never a value. Names may be anything yet, so they are cut.
fn names(patch: &EnvPatch) -> Value {
    let cut = |name: &String| name.chars().take(64).collect::<String>();
    let set: Vec<String> = patch.set.keys().take(ENV_ENTRIES_MAX).map(cut).collect();
    let unset: Vec<String> = patch.unset.iter().take(ENV_ENTRIES_MAX).map(cut).collect();
    json!({ "set": set, "unset": unset })
}
