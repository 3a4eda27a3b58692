//! The clock.

use super::sys;

/// The time: whole seconds since 1970, UTC.
pub fn now() -> i64 {
    sys::time_now()
}
