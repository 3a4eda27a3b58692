//! `random://`: random bytes without end; it cannot be written.

use olin::abi::Error;

use crate::olin::Failure;

/// Fills the buffer from the system's cryptographic source.
pub(crate) fn read(buffer: &mut [u8]) -> Result<usize, Failure> {
    getrandom::fill(buffer).map_err(|_| Error::Unknown)?;
    Ok(buffer.len())
}
