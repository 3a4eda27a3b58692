//! `startup`: the program's arguments.

use olin::abi::Error;

use super::{Failure, Host, lower};
use crate::guest::Stop;

/// `startup_arg_len`
pub(crate) fn arg_len(host: &mut Host<'_>) -> Result<i32, Stop> {
    lower(Ok(host.session.args.len()))
}

/// `startup_arg_at`: writes what fits of an argument and returns how much that was.
pub(crate) fn arg_at(host: &mut Host<'_>, index: i32, ptr: i32, len: i32) -> Result<i32, Stop> {
    lower(try_arg_at(host, index, ptr, len))
}

fn try_arg_at(host: &mut Host<'_>, index: i32, ptr: i32, len: i32) -> Result<usize, Failure> {
    let target = host.memory.range(ptr, len)?;
    let index = usize::try_from(index).map_err(|_| Error::InvalidArgument)?;
    let arg = host.session.args.get(index).ok_or(Error::InvalidArgument)?;
    let fits = arg.get(..target.len()).unwrap_or(arg);
    host.memory.write(target, fits)?;
    Ok(fits.len())
}
