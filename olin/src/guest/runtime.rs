//! The program's own run, and what runs it.

use std::time::Duration;

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

/// Sleeps for so long, to the millisecond, or until the invocation's deadline. `std::thread::sleep` panics on
/// `wasm32-unknown-unknown`.
pub fn sleep(time: Duration) {
    msleep(u32::try_from(time.as_millis()).unwrap_or(u32::MAX));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Ended, Host};

    #[test]
    fn the_host_is_this_abis() {
        let _host = Host::new();
        assert_eq!(
            (name().unwrap().as_str(), spec()),
            (abi::RUNTIME_NAME, (abi::SPEC_MAJOR, abi::SPEC_MINOR))
        );
    }

    #[test]
    fn a_program_sleeps_and_exits() {
        let host = Host::new();
        msleep(5);
        sleep(Duration::from_millis(7));
        sleep(Duration::MAX);
        assert_eq!(host.slept(), Duration::from_millis(12 + i32::MAX as u64));
        assert_eq!(host.run(|| exit(3)), Ended::Exit(3));
    }
}
