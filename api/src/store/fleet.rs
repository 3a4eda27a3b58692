//! What the store is told, and tells, of executors.

use async_trait::async_trait;
use wasmcloud_wire::{ExecutorReport, Timestamp};

use super::StoreError;

/// What the control plane remembers of its executors.
#[async_trait]
pub trait FleetStore: Send + Sync {
    /// Keeps what an executor says of itself, instead of what it said before.
    async fn see_executor(&self, report: &ExecutorReport, now: Timestamp) -> Result<(), StoreError>;
    /// Executors that were heard of since then, by name, and when each last was.
    async fn executors(&self, since: Timestamp) -> Result<Vec<(ExecutorReport, Timestamp)>, StoreError>;
}
