//! `runtime`: the program's own run.

use std::time::Duration;

use olin::abi::{Error, RUNTIME_NAME, SPEC_MAJOR, SPEC_MINOR};

use super::{Failure, Host, lower};
use crate::guest::Stop;

/// `runtime_exit`
pub(crate) fn exit(_: &mut Host<'_>, status: i32) -> Result<(), Stop> {
    Err(Stop::Exit(status))
}

/// `runtime_spec_major`
pub(crate) fn spec_major(_: &mut Host<'_>) -> Result<i32, Stop> {
    Ok(SPEC_MAJOR)
}

/// `runtime_spec_minor`
pub(crate) fn spec_minor(_: &mut Host<'_>) -> Result<i32, Stop> {
    Ok(SPEC_MINOR)
}

/// `runtime_name`
pub(crate) fn name(host: &mut Host<'_>, ptr: i32, len: i32) -> Result<i32, Stop> {
    lower(try_name(host, ptr, len))
}

fn try_name(host: &mut Host<'_>, ptr: i32, len: i32) -> Result<usize, Failure> {
    let target = host.memory.range(ptr, len)?;
    if target.len() < RUNTIME_NAME.len() {
        return Err(Error::InvalidArgument.into());
    }
    host.memory.write(target, RUNTIME_NAME.as_bytes())?;
    Ok(RUNTIME_NAME.len())
}

/// `runtime_msleep`: a negative time is none at all.
pub(crate) fn msleep(host: &mut Host<'_>, ms: i32) -> Result<(), Stop> {
    host.session.sleep(Duration::from_millis(u64::try_from(ms).unwrap_or(0)))
}
