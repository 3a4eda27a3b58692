//! What an executor says of itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// How often an executor says that it is there, in seconds.
pub const REPORT_EVERY_S: u64 = 2;
/// After how many seconds of silence an executor counts as gone.
pub const GONE_AFTER_S: u64 = 10;

/// That an executor is there, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutorReport {
    /// Made anew at each start.
    pub id: Uuid,
    /// Its name: a guest's `WORKER_ID`.
    pub name: String,
    /// Where it takes the API's calls; absent where it shares the API's process.
    #[serde(default)]
    pub internal_url: Option<String>,
    /// Its program's version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// Invocations that run right now.
    pub running: u32,
    /// How many may run at once.
    pub running_max: u32,
    /// Records that wait to be sent.
    pub records_waiting: u64,
    /// Records that were dropped since its start, since too many waited.
    pub records_dropped: u64,
    /// Whether it takes no new requests, since it is about to stop.
    pub draining: bool,
}
