//! The clock.

use std::time::{Duration, SystemTime};

use super::sys;

/// The time: whole seconds since 1970, UTC.
pub fn now() -> i64 {
    sys::time_now()
}

/// The time, to the second. `SystemTime::now` itself panics on `wasm32-unknown-unknown`.
pub fn system_time() -> SystemTime {
    let seconds = now();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds {
        0.. => SystemTime::UNIX_EPOCH.checked_add(distance),
        _ => SystemTime::UNIX_EPOCH.checked_sub(distance),
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn the_time_is_the_hosts() {
        let _host = Host::new().now(1_000);
        assert_eq!(now(), 1_000);
        assert_eq!(system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap(), Duration::from_secs(1_000));
        let _host = Host::new().now(-1_000);
        assert_eq!(SystemTime::UNIX_EPOCH.duration_since(system_time()).unwrap(), Duration::from_secs(1_000));
    }
}
