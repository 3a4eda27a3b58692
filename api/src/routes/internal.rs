//! `/internal/v1`: what executors ask over HTTPS. docs/ARCHITECTURE.md has the table.

use std::sync::Arc;

use rocket::{State, get, post};
use wasmcloud_plane::Address;
use wasmcloud_wire::{
    AccountUse, Change, ControlPlane as _, ControlPlaneError, Deployment, Digest, ExecutorReport, HostName,
    HostRoute, Record, RouteKey, UsageReport,
};

use crate::ApiError;
use crate::app::App;
use crate::guards::{Executor, Json};
use crate::reply::{Done, Live, Module, Reply, Result};

/// What an address serves.
#[get("/resolve/<key>")]
pub(crate) async fn resolve(
    app: &State<Arc<App>>,
    _executor: Executor,
    key: &str,
) -> Result<Reply<Deployment>> {
    let deployment = match key.parse::<RouteKey>() {
        Ok(key) => app.core.resolve(&key).await.map_err(plane_error)?,
        Err(_) => None,
    };
    deployment.map_or_else(|| Err(nothing("no handler answers to this address")), Reply::ok)
}

/// The routes of a host.
#[get("/routes/<host>")]
pub(crate) async fn routes(
    app: &State<Arc<App>>,
    _executor: Executor,
    host: &str,
) -> Result<Reply<Vec<HostRoute>>> {
    match host.parse::<HostName>() {
        Ok(host) => Reply::ok(app.core.routes(&host).await.map_err(plane_error)?),
        Err(_) => Reply::ok(Vec::new()),
    }
}

/// An executor says that it is there.
#[post("/executors")]
pub(crate) async fn report(
    app: &State<Arc<App>>,
    _executor: Executor,
    report: Json<ExecutorReport>,
) -> Result<Done> {
    if let Some(url) = &report.0.internal_url {
        url.parse::<Address>().map_err(|error| {
            ApiError::invalid(error.to_string(), "start the executor with --internal-url")
        })?;
    }
    app.core.report(report.0).await.map_err(plane_error)?;
    Ok(Done)
}

/// An executor tells what it has run for accounts, and learns what the others have.
#[post("/usage")]
pub(crate) async fn usage(
    app: &State<Arc<App>>,
    _executor: Executor,
    report: Json<UsageReport>,
) -> Result<Reply<Vec<AccountUse>>> {
    let UsageReport { executor, used } = report.0;
    Reply::ok(app.core.usage(executor, used).await.map_err(usage_error)?)
}

/// What changes from now on.
#[get("/changes")]
pub(crate) async fn changes(app: &State<Arc<App>>, _executor: Executor) -> Result<Live> {
    let changes = app.core.changes().await.map_err(plane_error)?;
    Ok(Live::lines::<Change>(changes))
}

/// Keeps receipts and log lines.
#[post("/records")]
pub(crate) async fn records(
    app: &State<Arc<App>>,
    _executor: Executor,
    batch: Json<Vec<Record>>,
) -> Result<Done> {
    app.core.record(batch.0).await.map_err(plane_error)?;
    Ok(Done)
}

/// A module's bytes.
#[get("/modules/<digest>")]
pub(crate) async fn module(app: &State<Arc<App>>, _executor: Executor, digest: &str) -> Result<Module> {
    let bytes = match digest.parse::<Digest>() {
        Ok(digest) => app.core.module(&digest).await.map_err(plane_error)?,
        Err(_) => None,
    };
    bytes.map(Module).ok_or_else(|| nothing("no module has this digest"))
}

fn nothing(message: &str) -> ApiError {
    ApiError::new(404, "not_found", message, "ask for the handler again")
}

fn usage_error(error: ControlPlaneError) -> ApiError {
    match error {
        ControlPlaneError::Refused(why) => ApiError::invalid(why, "tell of fewer at once"),
        other => plane_error(other),
    }
}

fn plane_error(error: ControlPlaneError) -> ApiError {
    ApiError::unavailable(error)
}
