//! h: the smallest ABI. One function prints a character; the program is the other.
//!
//! Source: the h compiler's output, `(import "h" "h" (func (param i32)))`.

/// The import module.
pub const MODULE: &str = "h";

/// The one import: takes a character's code point as `i32` and prints it.
pub const FUNCTION: &str = "h";

/// The export where a program begins.
pub const ENTRY: &str = "h";
