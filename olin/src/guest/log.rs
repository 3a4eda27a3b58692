//! The log of the invocation.

use super::sys;
use crate::abi;

/// Logs that something happened.
pub fn info(text: &str) {
    write(abi::LOG_INFO, text);
}

/// Logs that something may fail.
pub fn warning(text: &str) {
    write(abi::LOG_WARNING, text);
}

/// Logs that something failed.
pub fn error(text: &str) {
    write(abi::LOG_ERROR, text);
}

/// Logs at a level of the program's own choice.
pub fn write(level: i32, text: &str) {
    sys::log_write(level, text.as_bytes());
}
