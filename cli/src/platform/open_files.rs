//! How many files and connections a server may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to what the system allows this process. Many systems begin with 1024, for the sake of old
/// programs; a server with many clients, whose programs have files open, needs more.
pub fn allow_many() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(before = ?current, now = ?maximum, "open files"),
        Err(error) => tracing::warn!(%error, ?current, "the limit of open files cannot be raised"),
    }
}
