//! What the store is told, and tells, of executors and of what they sign.

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
    /// Uses up the nonce of a signed request; false if it was used before. It is remembered until
    /// `expires_at`, when the signature is good for nothing any more.
    async fn use_nonce(&self, nonce: &[u8; 16], expires_at: Timestamp) -> Result<bool, StoreError>;
    /// Forgets executors that were last heard of before `before`, and nonces that expired before `now`.
    /// Returns how many executors went.
    async fn sweep_fleet(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError>;
}
