//! `null://`: nothing to read; whatever is written is gone.

use crate::olin::Failure;

/// Reads nothing, and never comes to an end.
pub(crate) fn read(_: &mut [u8]) -> Result<usize, Failure> {
    Ok(0)
}
