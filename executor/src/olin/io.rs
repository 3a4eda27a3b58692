//! `io`: the standard streams as resources.

use super::resource::Resource;
use super::{Host, lower};
use crate::guest::Stop;

/// `io_get_stdin`
pub(crate) fn stdin(host: &mut Host<'_>) -> Result<i32, Stop> {
    open(host, Resource::Stdin)
}

/// `io_get_stdout`
pub(crate) fn stdout(host: &mut Host<'_>) -> Result<i32, Stop> {
    open(host, Resource::Stdout)
}

/// `io_get_stderr`
pub(crate) fn stderr(host: &mut Host<'_>) -> Result<i32, Stop> {
    open(host, Resource::Stderr)
}

fn open(host: &mut Host<'_>, stream: Resource) -> Result<i32, Stop> {
    lower(host.resources.insert(stream).map_err(Into::into))
}
