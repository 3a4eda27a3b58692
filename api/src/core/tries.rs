//! Limits of tries that hold whichever process they come to.

use std::time::Duration;

use wasmcloud_wire::Timestamp;

use super::Core;
use crate::ApiError;
use crate::store::TryWindow;

/// In which tries are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// How long counts are kept that nobody asks for any more.
const KEPT_MS: i64 = 3_600_000;

impl Core {
    /// Counts a try; the seconds to wait if there were too many in this minute, in all processes together.
    ///
    /// # Errors
    ///
    /// The store failed: then nobody may try.
    pub(crate) async fn count_try(
        &self,
        key: &str,
        tries_max: u32,
        now: Timestamp,
    ) -> Result<Result<(), Duration>, ApiError> {
        let window = window(now);
        if self.store.count_try(key, window).await? <= tries_max {
            return Ok(Ok(()));
        }
        let end_ms = window.number.saturating_add(1).saturating_mul(i64::from(window.length_s) * 1_000);
        let left_ms = u64::try_from(end_ms.saturating_sub(now.0)).unwrap_or_default();
        Ok(Err(Duration::from_millis(left_ms)))
    }

    /// Takes back what a right password has made good. If that fails, somebody waits a minute at worst.
    pub(crate) async fn forgive_tries(&self, all_of: &str, one_of: &str, now: Timestamp) {
        if let Err(error) = self.store.forgive_tries(all_of, one_of, window(now)).await {
            tracing::warn!(%error, "tries that were good stay counted");
        }
    }

    /// Forgets what was counted an hour ago.
    pub(super) async fn sweep_tries(&self, now: Timestamp) {
        if let Err(error) = self.store.sweep_tries(Timestamp(now.0.saturating_sub(KEPT_MS))).await {
            tracing::warn!(%error, "cannot forget old tries");
        }
    }
}

fn window(now: Timestamp) -> TryWindow {
    TryWindow::at(now, u32::try_from(WINDOW.as_secs()).unwrap_or(u32::MAX))
}
