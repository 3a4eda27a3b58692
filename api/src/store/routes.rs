//! What the store is told, and tells, of hosts and their routes.

use async_trait::async_trait;
use wasmcloud_wire::{HostName, HostRoute};

use super::StoreError;

/// What the control plane remembers of hosts and routes.
#[async_trait]
pub trait RouteStore: Send + Sync {
    /// The routes of a host that is proven or granted, the longest path first.
    async fn host_routes(&self, host: &HostName) -> Result<Vec<HostRoute>, StoreError>;
}
