//! Whether a program may run where others wait for their turn.
//!
//! A program of the WASI family is asked every few milliseconds whether it may go on, and others have their turn
//! then. But one instruction may fill a hundred megabytes, and is asked nothing meanwhile. A program that has done
//! such a thing, or of which nothing is known yet, runs on a thread of its own instead, where the system takes
//! turns.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Whoever keeps a thread for so long without a question keeps others waiting.
const UNASKED_MAX: Duration = Duration::from_millis(10);
/// So many runs without that, and a program is trusted.
const RUNS_TO_TRUST: u32 = 3;
/// How long a program is not trusted after the first time; twice as long after each further time, …
const DISTRUSTED: Duration = Duration::from_secs(10);
/// … at most so many times twice.
const DOUBLINGS_MAX: u32 = 10;

/// What is known of a program.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    /// Runs since it became known, or since it was last distrusted, as far as they are of interest.
    runs: AtomicU32,
    /// How often it kept a thread.
    times: AtomicU32,
    /// Until when it is not trusted, in milliseconds of [`now_ms`].
    until_ms: AtomicU64,
}

impl Trust {
    /// Whether the program may run among others.
    pub(crate) fn is_given(&self) -> bool {
        self.runs.load(Ordering::Relaxed) >= RUNS_TO_TRUST && self.is_over(now_ms())
    }

    fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.until_ms.load(Ordering::Relaxed)
    }

    /// Notes that it kept a thread for so long, without a question.
    pub(super) fn kept_a_thread(&self, how_long: Duration) {
        self.kept_a_thread_at(how_long, now_ms());
    }

    fn kept_a_thread_at(&self, how_long: Duration, now_ms: u64) {
        // Whoever is distrusted already, by one run of many, is not distrusted for longer by the others.
        if how_long < UNASKED_MAX || !self.is_over(now_ms) {
            return;
        }
        let times = self.times.fetch_add(1, Ordering::Relaxed).min(DOUBLINGS_MAX);
        let distrusted = DISTRUSTED.saturating_mul(1 << times);
        let until_ms = now_ms.saturating_add(u64::try_from(distrusted.as_millis()).unwrap_or(u64::MAX));
        self.until_ms.store(until_ms, Ordering::Relaxed);
        self.runs.store(0, Ordering::Relaxed);
    }

    /// Notes that a run has ended.
    pub(super) fn ran(&self) {
        if self.runs.load(Ordering::Relaxed) < RUNS_TO_TRUST {
            self.runs.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Milliseconds since the first question.
fn now_ms() -> u64 {
    static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(FIRST.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
impl Trust {
    /// As after enough runs.
    pub(crate) fn given() -> Trust {
        Trust { runs: AtomicU32::new(RUNS_TO_TRUST), ..Trust::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_is_earned_by_runs_and_lost_at_once_for_longer_each_time() {
        let trust = Trust::default();
        assert!(!trust.is_given());
        for _ in 0..RUNS_TO_TRUST {
            trust.ran();
        }
        assert!(trust.is_given());
        trust.kept_a_thread(UNASKED_MAX / 2);
        assert!(trust.is_given());
        let (mut now, mut waits) = (now_ms(), Vec::new());
        for _ in 0..3 {
            trust.kept_a_thread_at(UNASKED_MAX, now);
            // Others of the same moment.
            trust.kept_a_thread_at(UNASKED_MAX, now + 1);
            let until = trust.until_ms.load(Ordering::Relaxed);
            waits.push(until - now);
            assert!(!trust.is_over(until - 1) && trust.is_over(until));
            now = until;
        }
        assert_eq!(waits, [10_000, 20_000, 40_000]);
        assert!(!trust.is_given(), "it begins anew");
    }
}
