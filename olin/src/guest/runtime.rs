//! The program's own run, and what runs it.

use super::sys;
use crate::abi::{self, Error, outcome};

/// Ends the program at once with that exit code; 0 is success. No destructor runs.
pub fn exit(status: i32) -> ! {
    sys::runtime_exit(status);
    // Only a host that breaks the ABI comes here.
    std::process::abort()
}

/// Sleeps for that many milliseconds, or until the invocation's deadline.
pub fn msleep(milliseconds: u32) {
    sys::runtime_msleep(i32::try_from(milliseconds).unwrap_or(i32::MAX));
}

/// The runtime's name: [`abi::RUNTIME_NAME`] on every host of this ABI.
///
/// # Errors
/// [`Error::InvalidArgument`] from a host whose name is longer.
pub fn name() -> Result<String, Error> {
    let mut buffer = [0; abi::RUNTIME_NAME.len()];
    let length = outcome(sys::runtime_name(&mut buffer))? as usize;
    let name = buffer.get(..length).ok_or(Error::Unknown)?;
    Ok(String::from_utf8_lossy(name).into_owned())
}

/// The version of the specification that the host follows, such as `(0, 2)`.
pub fn spec() -> (i32, i32) {
    (sys::runtime_spec_major(), sys::runtime_spec_minor())
}
