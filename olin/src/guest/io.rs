//! The standard streams. For a program that serves HTTP they are the request's body, the answer, and the log.

use super::resource::Resource;
use super::sys;

/// The standard input. Each call may open it anew; what was read is not read again.
pub fn stdin() -> Resource {
    Resource::from_id(sys::io_get_stdin())
}

/// The standard output. It is not buffered: wrap it in a [`BufWriter`](std::io::BufWriter) for many small writes.
pub fn stdout() -> Resource {
    Resource::from_id(sys::io_get_stdout())
}

/// The standard error: each line of it becomes a line of the log.
pub fn stderr() -> Resource {
    Resource::from_id(sys::io_get_stderr())
}
