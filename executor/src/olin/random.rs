//! `random`: numbers from the system's cryptographic source, or from what was recorded of it.

use super::Host;
use crate::guest::Stop;
use crate::recording;

fn bytes<const N: usize>(host: &Host<'_>) -> Result<[u8; N], Stop> {
    let mut bytes = [0; N];
    recording::fill(host.session.tape.as_deref(), &mut bytes).map_err(|_| Stop::Killed)?;
    Ok(bytes)
}

/// `random_i32`, `random_u32`
pub(crate) fn i32(host: &mut Host<'_>) -> Result<i32, Stop> {
    bytes(host).map(i32::from_le_bytes)
}

/// `random_i64`, `random_u64`
pub(crate) fn i64(host: &mut Host<'_>) -> Result<i64, Stop> {
    bytes(host).map(i64::from_le_bytes)
}
