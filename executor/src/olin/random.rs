//! `random`: numbers from the system's cryptographic source.

use super::Host;
use crate::guest::Stop;

fn bytes<const N: usize>() -> Result<[u8; N], Stop> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Stop::Killed)?;
    Ok(bytes)
}

/// `random_i32`, `random_u32`
pub(crate) fn i32(_: &mut Host<'_>) -> Result<i32, Stop> {
    bytes().map(i32::from_le_bytes)
}

/// `random_i64`, `random_u64`
pub(crate) fn i64(_: &mut Host<'_>) -> Result<i64, Stop> {
    bytes().map(i64::from_le_bytes)
}
