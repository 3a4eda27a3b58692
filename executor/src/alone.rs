//! An executor that knows one module and no server: what is replayed on a user's own machine runs here, on the
//! very path that a server's invocations take.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use uuid::Uuid;
use wasmcloud_egress::{self as egress, Egress};
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, Limits, Record, RouteKey,
};

use crate::local::RunError;
use crate::{Compiler, Executor, Settings};

/// The guest's `WORKER_ID`, unless a recording says another.
const WORKER_ID: &str = "local";

/// Starts an executor for this module. Compiled modules are kept in `cache_dir`.
///
/// # Errors
///
/// The folder cannot be used, or the settings of the way out make no sense.
pub fn alone(module: Bytes, cache_dir: &Path, egress: egress::Settings) -> Result<Arc<Executor>, RunError> {
    let engine = |error: &dyn std::error::Error| RunError::Engine(error.to_string());
    let settings = Settings {
        cache_dir: cache_dir.to_owned(),
        worker_id: WORKER_ID.to_owned(),
        limits_max: Limits::ceiling(),
        compiler: Compiler::Here,
        egress: Egress::new(egress).map_err(|error| engine(&error))?,
        gemini_dir: cache_dir.join("gemini-hosts"),
        wasi_http_3: true,
    };
    Executor::start(settings, Arc::new(Alone(module))).map_err(|error| engine(&error))
}

/// A control plane that has one module and keeps nothing.
struct Alone(Bytes);

#[async_trait]
impl ControlPlane for Alone {
    async fn resolve(&self, _: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        Ok(None)
    }

    async fn routes(&self, _: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        Ok(Vec::new())
    }

    async fn report(&self, _: ExecutorReport) -> Result<(), ControlPlaneError> {
        Ok(())
    }

    async fn usage(&self, _: Uuid, _: Vec<AccountUse>) -> Result<Vec<AccountUse>, ControlPlaneError> {
        Ok(Vec::new())
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        Ok(stream::once(async { Change::Resync }).chain(stream::pending()).boxed())
    }

    async fn record(&self, _: Vec<Record>) -> Result<(), ControlPlaneError> {
        Ok(())
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        Ok((Digest::of(&self.0) == *digest).then(|| self.0.clone()))
    }
}
