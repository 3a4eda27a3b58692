//! `/api/v1/recordings`, and replays of a handler's recorded invocations.

use std::sync::Arc;

use rocket::{State, get, post};
use wasmcloud_wire::{
    CompareRequest, Comparison, InvocationId, Recorded, Recording, RecordingPolicy, Replay, ReplayRequest,
};

use super::handler_name;
use crate::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::core::Right;
use crate::guards::{Depth, Json};
use crate::reply::{Module, Reply, Result};

/// What of a handler is recorded; null if nothing is.
#[get("/handlers/<name>/recording")]
pub(crate) async fn policy(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
) -> Result<Reply<Option<RecordingPolicy>>> {
    let name = handler_name(name)?;
    let owner = app.core.may(&caller, &name, Right::Read).await?;
    Reply::ok(app.core.store.recording_policy(owner, &name).await?)
}

/// A recorded invocation of any handler that the user can see.
#[get("/recordings/<id>")]
pub(crate) async fn find(app: &State<Arc<App>>, caller: Caller, id: &str) -> Result<Reply<Recorded>> {
    Reply::ok(app.core.find_recording(&caller, invocation(id)?).await?)
}

/// A recorded invocation of this handler.
#[get("/handlers/<name>/invocations/<id>/recording")]
pub(crate) async fn show(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    id: &str,
) -> Result<Reply<Recording>> {
    let name = handler_name(name)?;
    let owner = app.core.may(&caller, &name, Right::Read).await?;
    Reply::ok(app.core.recording(owner, Some(&name), invocation(id)?).await?.recording)
}

/// Runs a recorded invocation again.
#[post("/handlers/<name>/invocations/<id>/replay")]
pub(crate) async fn replay(
    app: &State<Arc<App>>,
    caller: Caller,
    depth: Depth,
    name: &str,
    id: &str,
    body: Json<ReplayRequest>,
) -> Result<Reply<Replay>> {
    let (name, id) = (handler_name(name)?, invocation(id)?);
    let owner = app.core.may(&caller, &name, Right::Invoke).await?;
    Reply::ok(app.core.replay(&app.invoker, owner, &name, id, &body.0, depth.0).await?)
}

/// Replays recorded requests against the live version and another.
#[post("/handlers/<name>/compare")]
pub(crate) async fn compare(
    app: &State<Arc<App>>,
    caller: Caller,
    depth: Depth,
    name: &str,
    body: Json<CompareRequest>,
) -> Result<Reply<Comparison>> {
    let name = handler_name(name)?;
    let owner = app.core.may(&caller, &name, Right::Invoke).await?;
    Reply::ok(app.core.compare(&app.invoker, owner, &name, body.0, depth.0).await?)
}

/// A version's module, as it was uploaded.
#[get("/handlers/<name>/versions/<version>/module")]
pub(crate) async fn module(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    version: &str,
) -> Result<Module> {
    let name = handler_name(name)?;
    let number = version.parse().map(wasmcloud_wire::VersionNumber);
    let number = number.map_err(|_| {
        ApiError::invalid("a version is a number from 1 on", "write it like /versions/3/module")
    })?;
    let owner = app.core.may(&caller, &name, Right::Read).await?;
    app.core.version_module(owner, &name, number).await.map(Module)
}

fn invocation(text: &str) -> Result<InvocationId> {
    text.parse().map_err(|_| {
        let text: String = text.chars().take(64).collect();
        ApiError::invalid(
            format!("`{text}` is no invocation's id"),
            "it is in the answer's field Wasmcloud-Invocation, and in `wasmcloud invocations NAME`",
        )
    })
}
