//! A deadline that moves often and is met rarely.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline. Moving it later costs nothing: the runtime's timer is only touched when the
/// deadline comes earlier than the timer is set for, or when the timer goes off too early.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    /// Made at the first wait, kept for the connection's life.
    sleep: Option<Pin<Box<Sleep>>>,
    due: Option<Instant>,
}

impl Timer {
    /// Sets the deadline to `after` from now.
    pub(crate) fn start(&mut self, after: Duration) {
        self.due = Some(Instant::now() + after);
    }

    /// Sets the deadline to `after` from now, unless there is one.
    pub(crate) fn start_once(&mut self, after: Duration) {
        if self.due.is_none() {
            self.start(after);
        }
    }

    /// There is no deadline any more.
    pub(crate) fn stop(&mut self) {
        self.due = None;
    }

    /// Ready when the deadline is over.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.as_mut().poll(cx));
        if sleep.deadline() < due {
            sleep.as_mut().reset(due);
            ready!(sleep.as_mut().poll(cx));
        }
        Poll::Ready(())
    }
}
