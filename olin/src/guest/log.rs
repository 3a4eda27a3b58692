//! The log of the invocation.
//!
//! With the feature `log`, the macros of the crate [`log`](https://docs.rs/log) write to it too, once [`init`] was called;
//! [`serve!`](crate::serve!) and [`entry!`](crate::entry!) do that.

use super::sys;
use crate::abi;

/// The level under which `debug!` and `trace!` are kept, which the ABI has no name for.
#[cfg(feature = "log")]
const LOG_DEBUG: i32 = 7;

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

/// Makes the macros of the crate `log` write to the invocation's log, from `info!` on;
/// `log::set_max_level` changes that. A logger that was set before stays.
#[cfg(feature = "log")]
pub fn init() {
    if ::log::set_logger(&InvocationLog).is_ok() {
        ::log::set_max_level(::log::LevelFilter::Info);
    }
}

#[cfg(feature = "log")]
struct InvocationLog;

#[cfg(feature = "log")]
impl ::log::Log for InvocationLog {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        let level = match record.level() {
            ::log::Level::Error => abi::LOG_ERROR,
            ::log::Level::Warn => abi::LOG_WARNING,
            ::log::Level::Info => abi::LOG_INFO,
            ::log::Level::Debug | ::log::Level::Trace => LOG_DEBUG,
        };
        match record.args().as_str() {
            Some(text) => write(level, text),
            None => write(level, &record.args().to_string()),
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn each_function_has_its_level() {
        let host = Host::new();
        info("a");
        warning("b");
        error("c");
        write(42, "d");
        let logs = [(6, "a"), (3, "b"), (1, "c"), (42, "d")].map(|(level, text)| (level, text.to_owned()));
        assert_eq!(host.logs(), logs);
    }

    #[cfg(feature = "log")]
    #[test]
    fn the_macros_write_here_from_info_on() {
        let host = Host::new();
        init();
        init();
        ::log::error!("{} pots", 2);
        ::log::warn!("one pot");
        ::log::info!("tea");
        ::log::debug!("unseen");
        let logs = [(1, "2 pots"), (3, "one pot"), (6, "tea")].map(|(level, text)| (level, text.to_owned()));
        assert_eq!(host.logs(), logs);
    }
}
