//! The one who ends a guest that does not end by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Why a guest is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// Its wall time is over.
    Wall,
    /// The client went away.
    ClientGone,
    /// The account that owns the handler was suspended.
    Suspended,
}

/// How often a guest that was interrupted, but has not stopped yet, is interrupted again.
const INTERRUPT_RETRY: Duration = Duration::from_millis(2);

/// What interrupts a guest while it runs.
pub(crate) trait Interrupt: Send + Sync {
    /// Interrupts it, from another thread.
    fn interrupt(&self);
}

/// Shared by a guest's thread and whoever watches it.
pub(crate) struct Watch {
    deadline: Instant,
    /// Wakes those who wait; they look at the reason then.
    killed: Notify,
    reason: OnceLock<Kill>,
    /// Why somebody else than the one who watches wants the guest killed.
    asked: OnceLock<Kill>,
    asking: Notify,
    /// Whether the guest has computed for long.
    long: AtomicBool,
    interrupt: Mutex<Option<Arc<dyn Interrupt>>>,
}

impl Watch {
    /// Watches a guest that has to end by this time.
    pub(crate) fn new(deadline: Instant) -> Watch {
        Watch {
            deadline,
            killed: Notify::new(),
            reason: OnceLock::new(),
            asked: OnceLock::new(),
            asking: Notify::new(),
            long: AtomicBool::new(false),
            interrupt: Mutex::new(None),
        }
    }

    /// When the guest's wall time is over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Notes that the guest has computed for long.
    pub(crate) fn computes_long(&self) {
        self.long.store(true, Ordering::Relaxed);
    }

    /// Whether the guest has computed for long.
    pub(crate) fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    /// Why the guest is being killed, if it is.
    pub(crate) fn reason(&self) -> Option<Kill> {
        self.reason.get().copied()
    }

    /// Whether host calls have to give up. Knows of the deadline before anyone else does.
    pub(crate) fn is_over(&self) -> bool {
        self.reason.get().is_some() || {
            let over = Instant::now() >= self.deadline;
            if over {
                self.reason.get_or_init(|| Kill::Wall);
            }
            over
        }
    }

    /// What a host call waits for besides its own business.
    pub(crate) async fn killed(&self) {
        // Made before the reason is looked at: it hears of a kill that comes in between.
        let killed = self.killed.notified();
        if self.reason.get().is_none() {
            killed.await;
        }
    }

    /// How a guest that is running right now is interrupted; `None` once it runs no more.
    pub(crate) fn set_interrupt(&self, interrupt: Option<Arc<dyn Interrupt>>) {
        *self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) = interrupt;
    }

    /// Asks the one who watches to kill the guest.
    pub(crate) fn ask_to_end(&self, why: Kill) {
        self.asked.get_or_init(|| why);
        self.asking.notify_one();
    }

    /// Waits until the guest is to be killed for somebody else's reason. For the one who watches, alone.
    pub(crate) async fn asked_to_end(&self) -> Kill {
        loop {
            // One who asks between the look and the wait leaves a mark.
            if let Some(why) = self.asked.get() {
                return *why;
            }
            self.asking.notified().await;
        }
    }

    /// Kills the guest, again and again until `stopped` is ready: an interrupt is missed when it comes
    /// before the guest's code is entered, and may be when the guest is counting its gas.
    pub(crate) async fn kill<F: Future>(&self, why: Kill, stopped: F) -> F::Output {
        self.reason.get_or_init(|| why);
        self.killed.notify_waiters();
        let mut stopped = std::pin::pin!(stopped);
        loop {
            if let Some(interrupt) = &*self.interrupt.lock().unwrap_or_else(PoisonError::into_inner) {
                interrupt.interrupt();
            }
            if let Ok(output) = tokio::time::timeout(INTERRUPT_RETRY, &mut stopped).await {
                return output;
            }
        }
    }
}
