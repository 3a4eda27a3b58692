//! How fast a request's body comes, and how long it is waited for.

use std::time::Duration;

use tokio::time::Instant;

use crate::Settings;

/// Why the wait for a body was given up; the cause within an `io::Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyStall {
    #[error("the body stood still")]
    StoodStill,
    #[error("the body came too slowly")]
    TooSlow,
}

/// How fast the body of one request comes.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    head: u32,
    bytes: u64,
    /// How long it was waited for, in all; the time in which the service did not want more is not
    /// the client's.
    waited: Duration,
    since: Option<Instant>,
}

impl Pace {
    /// Starts anew with every request.
    fn begin(&mut self, head: u32) {
        if self.head != head {
            *self = Pace { head, ..Pace::default() };
        }
    }

    /// How long to wait for more of the body of request `head`, and what it is if nothing comes.
    pub(crate) fn patience(&mut self, head: u32, settings: &Settings) -> (BodyStall, Duration) {
        self.begin(head);
        self.since = Some(Instant::now());
        let still = settings.body_timeout;
        let earned = match self.bytes.checked_div(settings.body_bytes_per_second_min) {
            Some(seconds) => Duration::from_secs(seconds).max(still),
            None => return (BodyStall::StoodStill, still),
        };
        let slow = earned.saturating_sub(self.waited);
        if slow < still { (BodyStall::TooSlow, slow) } else { (BodyStall::StoodStill, still) }
    }

    /// So many bytes of the body of request `head` are here.
    pub(crate) fn arrived(&mut self, head: u32, bytes: usize) {
        self.begin(head);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.waited += self.since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }
}
