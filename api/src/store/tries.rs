//! What the store is told, and tells, of tries that are limited whichever process they come to.

use async_trait::async_trait;
use wasmcloud_wire::Timestamp;

use super::StoreError;

/// Tries are counted in windows of time that begin with whole multiples of their length since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TryWindow {
    /// Its length, in seconds.
    pub length_s: u32,
    /// Its number since 1970.
    pub number: i64,
}

impl TryWindow {
    /// The window that goes on at this time.
    pub fn at(now: Timestamp, length_s: u32) -> TryWindow {
        TryWindow { length_s, number: now.0.div_euclid(i64::from(length_s.max(1)) * 1_000) }
    }
}

/// What the control plane remembers of tries.
#[async_trait]
pub trait TryStore: Send + Sync {
    /// Counts a try; how many there were in this window, with this one.
    async fn count_try(&self, key: &str, window: TryWindow) -> Result<u32, StoreError>;
    /// Takes all tries of one key in this window back, and one of another.
    async fn forgive_tries(&self, all_of: &str, one_of: &str, window: TryWindow) -> Result<(), StoreError>;
    /// Forgets what was counted before this time; how many rows went.
    async fn sweep_tries(&self, before: Timestamp) -> Result<u64, StoreError>;
}
