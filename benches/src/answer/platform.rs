//! An executor with its edge, in front of a control plane that knows a few handlers and counts records.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_executor::egress::Egress;
use wasmcloud_executor::{Compiler, Edge, Executor, Settings};
use wasmcloud_wire::{
    Abi, AccountUse, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HandlerId, HostName, HostRoute, Limits, Record, RouteKey, UserId, VersionNumber,
};

/// Handlers answer below this domain.
pub const DOMAIN: &str = "localhost";

/// Handlers by their names, and their modules.
#[derive(Default)]
struct Plane {
    deployments: HashMap<RouteKey, Deployment>,
    modules: HashMap<Digest, Bytes>,
    records: AtomicUsize,
}

#[async_trait]
impl ControlPlane for Plane {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        Ok(self.deployments.get(key).cloned())
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
        Ok(Box::pin(futures::stream::pending()))
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        self.records.fetch_add(batch.len(), Ordering::Relaxed);
        Ok(())
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        Ok(self.modules.get(digest).cloned())
    }
}

/// Serves these modules, each under its name.
///
/// # Errors
///
/// A module is refused, or the machine lacks something.
pub async fn serve(modules: &[(String, Vec<u8>)], cache_dir: &Path) -> anyhow::Result<()> {
    let mut plane = Plane::default();
    for (name, module) in modules {
        let deployment = deployment(name, module)?;
        plane.modules.insert(deployment.digest, Bytes::copy_from_slice(module));
        plane.deployments.insert(name.parse()?, deployment);
    }
    let settings = Settings {
        cache_dir: cache_dir.to_owned(),
        worker_id: "bench".to_owned(),
        limits_max: Limits::default(),
        compiler: Compiler::Here,
        egress: Egress::new(Default::default())?,
        gemini_dir: cache_dir.join("gemini-hosts"),
        wasi_http_3: false,
    };
    let executor = Executor::start(settings, Arc::new(plane))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    super::servers::ready(listener.local_addr()?);
    let edge = Edge { domain: DOMAIN.to_owned(), by_path: false, trusted_proxies: Default::default() };
    executor.serve_edge(edge, listener, None, CancellationToken::new()).await;
    Ok(())
}

fn deployment(name: &str, module: &[u8]) -> anyhow::Result<Deployment> {
    let abi: Abi = wasmcloud_inspect::inspect(module, &Limits::default())?.abi;
    Ok(Deployment {
        handler: HandlerId::new(),
        name: name.parse()?,
        owner: UserId::new(),
        version: VersionNumber(1),
        digest: Digest::of(module),
        abi,
        env: Default::default(),
        limits: Limits::default(),
        urls: Default::default(),
        forward_authorization: false,
        secrets: Default::default(),
        split: None,
        recording: None,
        quota: Default::default(),
        suspended: None,
    })
}
