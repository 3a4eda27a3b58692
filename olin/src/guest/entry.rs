//! How a program begins.

use std::fmt::Display;
use std::panic;

use super::{log, runtime};

/// The exit code of a program whose `main` returned an error.
const EXIT_FAILURE: i32 = 1;

/// Makes a function the program's entry, `_start`. It takes nothing and returns a `Result`: see [`run`].
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[unsafe(no_mangle)]
        extern "C" fn _start() {
            $crate::run($main);
        }
    };
}

/// Runs `main`. An error of it, or a panic, becomes a line of the log; the error ends the program with exit
/// code 1, and the panic traps.
pub fn run<E: Display>(main: fn() -> Result<(), E>) {
    panic::set_hook(Box::new(|info| log::error(&info.to_string())));
    if let Err(error) = main() {
        log::error(&error.to_string());
        runtime::exit(EXIT_FAILURE);
    }
}
