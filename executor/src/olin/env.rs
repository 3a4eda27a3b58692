//! `env`: the program's environment.

use olin::abi::Error;

use super::{Failure, Host, lower};
use crate::guest::Stop;

/// Longest variable name that is looked up; no variable has a longer one.
const KEY_BYTES_MAX: usize = 64 << 10;

/// `env_get`: the length of a variable's value, which is written if it fits.
pub(crate) fn get(
    host: &mut Host<'_>,
    key: i32,
    key_len: i32,
    value: i32,
    value_len: i32,
) -> Result<i32, Stop> {
    lower(try_get(host, key, key_len, value, value_len))
}

fn try_get(
    host: &mut Host<'_>,
    key: i32,
    key_len: i32,
    value: i32,
    value_len: i32,
) -> Result<usize, Failure> {
    let key = host.memory.range(key, key_len)?;
    let target = host.memory.range(value, value_len)?;
    if key.len() > KEY_BYTES_MAX {
        return Err(Error::NotFound.into());
    }
    let key = host.memory.read(key)?;
    let value = host.session.variables.get(&key).ok_or(Error::NotFound)?;
    if value.len() <= target.len() {
        host.memory.write(target, value)?;
    }
    Ok(value.len())
}
