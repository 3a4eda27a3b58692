//! `random://`: random bytes without end; it cannot be written.

use olin::abi::Error;

use crate::guest::Session;
use crate::olin::Failure;
use crate::recording;

/// Fills the buffer from the system's cryptographic source, or from what was recorded of it.
pub(crate) fn read(session: &Session, buffer: &mut [u8]) -> Result<usize, Failure> {
    recording::fill(session.tape.as_deref(), buffer).map_err(|_| Error::Unknown)?;
    Ok(buffer.len())
}
