//! `time`: the wall clock.

use wasmcloud_wire::Timestamp;

use super::Host;
use crate::guest::Stop;

const MS_NS: u64 = 1_000_000;

/// `time_now`: whole seconds since 1970, UTC.
pub(crate) fn now(host: &mut Host<'_>) -> Result<i64, Stop> {
    let now = Timestamp::now().0;
    let now = match &host.session.tape {
        Some(tape) => {
            let real = u64::try_from(now).unwrap_or_default().saturating_mul(MS_NS);
            i64::try_from(tape.wall(real) / MS_NS).unwrap_or(i64::MAX)
        }
        None => now,
    };
    Ok(now.div_euclid(1000))
}
