//! The executors of an installation, as their reports show them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use wasmcloud_wire::body::{ExecutorHealth, ExecutorStatus};
use wasmcloud_wire::{ExecutorReport, GONE_AFTER_S, Invoker, Timestamp};

use super::Core;
use crate::ApiError;

/// How long an executor that is silent is still shown, and kept in the store.
const SHOWN_FOR_MS: i64 = 24 * 3_600_000;
/// How often executors and nonces whose time is over are forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Core {
    /// The executors that were heard of within a day, by name.
    pub(crate) async fn executors(&self, invoker: &dyn Invoker) -> Result<Vec<ExecutorStatus>, ApiError> {
        let now = Timestamp::now();
        let seen = self.store.executors(Timestamp(now.0 - SHOWN_FOR_MS)).await?;
        Ok(seen.into_iter().map(|(report, seen_at)| status(report, seen_at, now, invoker)).collect())
    }

    /// Forgets executors that are long gone, and nonces that are good for nothing, until `shutdown`.
    pub(crate) async fn sweep_fleet_until(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = Timestamp::now();
            if let Err(error) = self.store.sweep_fleet(Timestamp(now.0 - SHOWN_FOR_MS), now).await {
                tracing::warn!(%error, "cannot forget executors that are gone");
            }
        }
    }
}

fn status(
    report: ExecutorReport,
    seen_at: Timestamp,
    now: Timestamp,
    invoker: &dyn Invoker,
) -> ExecutorStatus {
    // Another process may have written the time, by a clock that is a little ahead.
    let silent_s = u64::try_from((now.0 - seen_at.0) / 1_000).unwrap_or(0);
    let is_working = !report.draining && silent_s <= GONE_AFTER_S;
    let problem = if is_working { invoker.trouble(report.id) } else { None };
    let health = match (report.draining, silent_s > GONE_AFTER_S) {
        (false, false) if problem.is_some() => ExecutorHealth::Unreachable,
        (false, false) => ExecutorHealth::Healthy,
        (true, false) => ExecutorHealth::Draining,
        (false, true) => ExecutorHealth::Silent,
        (true, true) => ExecutorHealth::Stopped,
    };
    ExecutorStatus { report, health, seen_at, silent_s, problem }
}
