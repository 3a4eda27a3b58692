//! An executor says that it is there, and how it is: every few seconds, and once more before it stops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use wasmcloud_plane::Address;
use wasmcloud_wire::limits::CONCURRENCY_PER_EXECUTOR_MAX;
use wasmcloud_wire::{ControlPlaneError, ExecutorReport, REPORT_EVERY_S, Timestamp};

use crate::Executor;
use crate::usage::tell_on;

/// How long one report may take; the next one says more.
const REPORT_MAX: Duration = Duration::from_secs(5);
/// How long a starting executor waits until the control plane knows that it is there.
const FIRST_TOLD_MAX: Duration = Duration::from_secs(1);
/// First pause after a report that was not taken; the next ones are longer, up to [`REPORT_EVERY_S`].
const RETRY_FIRST: Duration = Duration::from_millis(250);
/// How long a stopping executor waits until the control plane knows that it stops.
const DRAIN_TOLD_MAX: Duration = Duration::from_secs(1);

/// What an executor says of itself that does not change, and whether it is about to stop.
pub(crate) struct Reporter {
    pub(crate) id: Uuid,
    started_at: Timestamp,
    started: Instant,
    draining: AtomicBool,
    /// Where the control plane reaches it, if it is elsewhere; set once there are reports.
    internal_url: OnceLock<Option<String>>,
    /// Held while a report is under way, so that they arrive in their order.
    sending: Mutex<Sending>,
}

#[derive(Default)]
struct Sending {
    /// The last report was not taken, and the log says so.
    fails: bool,
}

impl Reporter {
    pub(crate) fn new() -> Reporter {
        Reporter {
            id: Uuid::now_v7(),
            started_at: Timestamp::now(),
            started: Instant::now(),
            draining: AtomicBool::new(false),
            internal_url: OnceLock::new(),
            sending: Mutex::default(),
        }
    }
}

impl Executor {
    /// What it is registered by: made anew at each start.
    pub fn id(&self) -> Uuid {
        self.reporter.id
    }

    /// Says every few seconds that this executor is there, and what accounts use of it, beginning now, until it has
    /// stopped. `internal_url`
    /// is where the control plane reaches it; none if it is in the same process. Returns when the control plane
    /// knows, or does not answer at once.
    ///
    /// What is called twice reports once, with the first address.
    pub async fn start_reporting(self: &Arc<Self>, internal_url: Option<Address>) {
        let url = internal_url.map(|address| address.to_string());
        if self.reporter.internal_url.set(url).is_err() {
            return;
        }
        // Whether it is taken or not, the reports that follow say the same.
        let _ = tokio::time::timeout(FIRST_TOLD_MAX, self.report()).await;
        let (stopped, executor) = (self.stopped.clone(), Arc::downgrade(self));
        let user = executor.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(report_on(executor)).await });
        let stopped = self.stopped.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(tell_on(user)).await });
    }

    /// Whether requests that are signed for `audience` are this executor's, and from which time on they are
    /// taken, in milliseconds since 1970. Its id is this start's alone; its address may be another's tomorrow.
    pub(crate) fn known_as(&self, audience: &str) -> Option<i64> {
        let Reporter { id, started, internal_url, .. } = &self.reporter;
        if audience.parse() == Ok(*id) {
            return Some(i64::MIN);
        }
        let url = internal_url.get()?.as_deref()?;
        // By the clock as it is now, which may have jumped.
        let up_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        (audience == url).then(|| Timestamp::now().0.saturating_sub(up_ms))
    }

    /// Tells the control plane that this executor is about to stop, so that it is given no more work; waits
    /// for that only a moment. What is called all the same is still answered.
    pub async fn drain(&self) {
        self.reporter.draining.store(true, Ordering::SeqCst);
        if tokio::time::timeout(DRAIN_TOLD_MAX, self.report()).await.is_err() {
            tracing::warn!("the control plane does not say in time that it knows of the stop");
        }
    }

    /// Tells the control plane, which knows of the stop, how many records did not arrive in the end, and what accounts
    /// used up to now.
    pub(crate) async fn report_last(&self) {
        if self.reporter.draining.load(Ordering::SeqCst) {
            // Nobody waits for it: the executor is gone either way.
            let _ = tokio::time::timeout(DRAIN_TOLD_MAX, self.report()).await;
            let _ = tokio::time::timeout(DRAIN_TOLD_MAX, self.tell_usage()).await;
        }
    }

    /// Reports once, if there are reports at all. Returns whether it was taken.
    async fn report(&self) -> bool {
        let mut sending = self.reporter.sending.lock().await;
        let Some(internal_url) = self.reporter.internal_url.get() else { return true };
        let (waiting, dropped) = self.recorder.counts();
        let report = ExecutorReport {
            id: self.reporter.id,
            name: self.worker_id().to_owned(),
            internal_url: internal_url.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.reporter.started_at,
            running: count(self.running()),
            running_max: count(CONCURRENCY_PER_EXECUTOR_MAX),
            records_waiting: waiting,
            records_dropped: dropped,
            draining: self.reporter.draining.load(Ordering::SeqCst),
        };
        let told = tokio::time::timeout(REPORT_MAX, self.control.report(report)).await;
        sending.note(told.unwrap_or_else(|_| {
            Err(ControlPlaneError::Unavailable(format!("it did not answer within {REPORT_MAX:?}")))
        }));
        !sending.fails
    }
}

impl Sending {
    /// One line when reports begin to fail, and one when they arrive again.
    fn note(&mut self, told: Result<(), ControlPlaneError>) {
        match &told {
            Ok(()) if self.fails => tracing::info!("the control plane hears of this executor again"),
            Err(error) if !self.fails => {
                tracing::warn!(%error, "the control plane does not hear of this executor; trying again");
            }
            Ok(()) | Err(_) => {}
        }
        self.fails = told.is_err();
    }
}

async fn report_on(executor: Weak<Executor>) {
    let (every, mut retry) = (Duration::from_secs(REPORT_EVERY_S), RETRY_FIRST);
    loop {
        let Some(this) = executor.upgrade() else { return };
        let taken = this.report().await;
        drop(this);
        let pause = if taken { every } else { retry };
        retry = if taken { RETRY_FIRST } else { (retry * 2).min(every) };
        tokio::time::sleep(pause).await;
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
