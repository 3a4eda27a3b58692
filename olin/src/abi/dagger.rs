//! Dagger, the ABI before Olin: five functions over file descriptors.
//!
//! Programs declare each parameter and the result as `i32` or as `i64`, as they please; hosts link
//! whatever a program declares. Source: Xe/olin, `abi/dagger`.

/// The import module.
pub const MODULE: &str = "dagger";

/// The export where a program begins: no parameters; its result, if it has one, is its exit code.
pub const ENTRY: &str = "main";

/// The URL is none.
pub const BAD_URL: i32 = 1;
/// The URL's scheme makes nothing of the rest.
pub const BAD_URL_INPUT: i32 = 2;
/// Nobody provides the URL's scheme.
pub const UNKNOWN_SCHEME: i32 = 3;

/// A function that a program may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How many integers it takes; it returns one, or nothing if the program does not ask.
    pub params: usize,
    /// What it does, in one line.
    pub doc: &'static str,
}

const fn row(name: &'static str, params: usize, doc: &'static str) -> Function {
    Function { name, params, doc }
}

/// Every function. A failure is -1, if nothing else is said.
pub const FUNCTIONS: &[Function] = &[
    row(
        "open",
        2,
        "(url, flags) → a descriptor, the lowest free one; the URL ends with a NUL. A failure is minus its number",
    ),
    row("close", 1, "(descriptor) → 0"),
    row("read", 3, "(descriptor, buffer, buffer length) → how many bytes were read; -1 at the end"),
    row("write", 3, "(descriptor, bytes, bytes length) → how many bytes were written"),
    row("sync", 1, "(descriptor) → 0; what was written takes effect now"),
    row("flush", 1, "the same as sync, as older programs call it"),
];

/// The function of that name.
pub fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}
