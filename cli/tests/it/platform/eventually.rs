//! Waiting for what has to happen.

use std::time::{Duration, Instant};

/// How long anything may take before a test fails. Only a failing test ever waits for so long.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long it is before one looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Looks until there is something to be seen; fails after [`PATIENCE`].
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        std::thread::park_timeout(LOOK_AGAIN);
    }
}
