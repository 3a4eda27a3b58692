//! The ABI itself: its numbers, its errors and its imports, for hosts and guests alike.
//!
//! Source: the Common WebAssembly specification 0.2 as Olin adopted it.

pub mod dagger;
mod error;
pub mod h;
mod imports;

pub use error::{Error, outcome};
pub use imports::{IMPORTS, Import, Namespace, Signature, ValType, import};

/// The import modules under which a program may ask for the table's functions: the specification's
/// own, and the one that compilers choose when a program names none.
pub const MODULES: [&str; 2] = ["cwa", "env"];

/// The export where a program begins: no parameters, no results.
pub const ENTRY: &str = "_start";

/// The export under which a program shows its linear memory.
pub const MEMORY: &str = "memory";

/// What `runtime_name` writes. Programs check for exactly this.
pub const RUNTIME_NAME: &str = "olin";

/// What `runtime_spec_major` returns.
pub const SPEC_MAJOR: i32 = 0;

/// What `runtime_spec_minor` returns.
pub const SPEC_MINOR: i32 = 2;

/// The level of `log_write` for something that failed.
pub const LOG_ERROR: i32 = 1;

/// The level of `log_write` for something that may fail.
pub const LOG_WARNING: i32 = 3;

/// The level of `log_write` for something that happened.
pub const LOG_INFO: i32 = 6;
