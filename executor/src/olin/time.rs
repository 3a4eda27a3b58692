//! `time`: the wall clock.

use wasmcloud_wire::Timestamp;

use super::Host;
use crate::guest::Stop;

/// `time_now`: whole seconds since 1970, UTC.
pub(crate) fn now(_: &mut Host<'_>) -> Result<i64, Stop> {
    Ok(Timestamp::now().0.div_euclid(1000))
}
