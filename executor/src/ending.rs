//! How a run ended, whatever ran it, and the names of the functions at fault.

use std::fmt::{self, Write as _};
use std::time::Duration;

use wasmcloud_cgi::escape_to;
use wasmcloud_wire::{LimitName, Limits};

use crate::guest::{Session, Stop};

/// Most frames of a backtrace that are logged.
pub(crate) const FRAMES_MAX: usize = 32;
/// Longest function name that is told, in characters.
const NAME_CHARS_MAX: usize = 200;

/// How a run ended.
pub(crate) enum Ending {
    /// The program ended by itself with this status.
    Exit(i32),
    /// A host call ended it.
    Stopped(Stop),
    /// It was interrupted, in this function; the session's watch knows why.
    Killed(String),
    /// Gas, CPU time, stack or memory ran out, in this function or for this reason.
    Limit(LimitName, String),
    /// It begins with so much memory, which is more than its limit.
    TooLarge(u64),
    /// It did what WebAssembly forbids.
    Trap(String),
    /// It gave no answer, or one that cannot be sent.
    NoAnswer(String),
    /// It could not be started.
    Internal(String),
}

/// What a run leaves behind.
pub(crate) struct Ended {
    pub(crate) ending: Ending,
    pub(crate) backtrace: Vec<String>,
    pub(crate) gas: u64,
    /// Of a run whose instructions are not counted.
    pub(crate) cpu: Duration,
    pub(crate) memory_peak_bytes: u64,
    /// The most that its memory was to grow to and that its limit, not its own maximum, refused.
    pub(crate) memory_refused_bytes: Option<u64>,
    pub(crate) session: Box<Session>,
}

impl Ended {
    /// A run that was not begun.
    pub(crate) fn not_begun(ending: Ending, session: Box<Session>) -> Ended {
        Ended {
            ending,
            backtrace: Vec::new(),
            gas: 0,
            cpu: Duration::ZERO,
            memory_peak_bytes: 0,
            memory_refused_bytes: None,
            session,
        }
    }
}

/// A limit that was lowered after the program was uploaded may be below what it begins with.
pub(crate) fn above_memory_limit(begins_with: u64, limits: &Limits) -> Option<Ending> {
    (begins_with > limits.memory_bytes).then_some(Ending::TooLarge(begins_with))
}

/// A function's name as it is told: as it stands in the source, without the hash that Rust adds. It is the
/// module's own, of any length and with any character.
pub(crate) fn function_name(name: &str) -> String {
    escape_to(demangled(name).as_bytes(), NAME_CHARS_MAX, "…").into_owned()
}

/// A function's name as its source has it, cut soon after what is told of it: a name may stand for one that
/// is much longer.
fn demangled(name: &str) -> String {
    struct Cut(String);
    impl fmt::Write for Cut {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.0.len() > 4 * NAME_CHARS_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut cut = Cut(String::new());
    // An error says that it was cut, which the caller does anyway.
    let _ = write!(cut, "{:#}", rustc_demangle::demangle(name));
    cut.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_as_in_their_source() {
        for (name, told) in [
            ("parse_header", "parse_header"),
            ("_ZN4core6option13unwrap_failed17h0123456789abcdefE", "core::option::unwrap_failed"),
            ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
        ] {
            assert_eq!(demangled(name), told);
        }
    }
}
