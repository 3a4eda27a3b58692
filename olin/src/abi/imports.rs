//! The table of imports: what a program may ask its host for.
//!
//! Hosts link from it, inspection names unmet imports by it, and the documentation is made of it.

use core::fmt;

/// A type of a parameter or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// A 32-bit integer: a number, a pointer, a length, a resource's id or an error.
    I32,
    /// A 64-bit integer.
    I64,
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
        })
    }
}

/// A function's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature {
    /// What it takes.
    pub params: &'static [ValType],
    /// What it returns; one value at most.
    pub results: &'static [ValType],
}

/// Writes the type in the text format's words, such as `(func (param i32 i32) (result i32))`.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (word, types) in [("param", self.params), ("result", self.results)] {
            if !types.is_empty() {
                write!(f, " ({word}")?;
                for ty in types {
                    write!(f, " {ty}")?;
                }
                f.write_str(")")?;
            }
        }
        f.write_str(")")
    }
}

/// The part of the ABI that a function belongs to: the first word of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// The program's environment.
    Env,
    /// Standard streams.
    Io,
    /// The log.
    Log,
    /// Random numbers.
    Random,
    /// Everything that can be opened by a URL.
    Resource,
    /// The program's own run.
    Runtime,
    /// The program's arguments.
    Startup,
    /// The clock.
    Time,
}

impl Namespace {
    /// Every namespace, in the table's order.
    pub const ALL: [Namespace; 8] = [
        Namespace::Env,
        Namespace::Io,
        Namespace::Log,
        Namespace::Random,
        Namespace::Resource,
        Namespace::Runtime,
        Namespace::Startup,
        Namespace::Time,
    ];

    /// The word that its functions' names begin with.
    pub const fn as_str(self) -> &'static str {
        match self {
            Namespace::Env => "env",
            Namespace::Io => "io",
            Namespace::Log => "log",
            Namespace::Random => "random",
            Namespace::Resource => "resource",
            Namespace::Runtime => "runtime",
            Namespace::Startup => "startup",
            Namespace::Time => "time",
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One function that a program may import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import {
    /// The part of the ABI that it belongs to.
    pub namespace: Namespace,
    /// Its name, the same under every one of [`MODULES`](super::MODULES).
    pub name: &'static str,
    /// The types under which it may be imported, the preferred one first; never empty.
    pub signatures: &'static [Signature],
    /// What it does, in one line.
    pub doc: &'static str,
}

impl Import {
    /// Whether a program may import the function under this type.
    pub fn accepts(&self, params: &[ValType], results: &[ValType]) -> bool {
        self.signatures.iter().any(|signature| signature.params == params && signature.results == results)
    }
}

/// The function of that name.
pub fn import(name: &str) -> Option<&'static Import> {
    IMPORTS.iter().find(|import| import.name == name)
}

const NONE: &[ValType] = &[];
const I32: &[ValType] = &[ValType::I32];
const I32X2: &[ValType] = &[ValType::I32; 2];
const I32X3: &[ValType] = &[ValType::I32; 3];
const I32X4: &[ValType] = &[ValType::I32; 4];
const I64: &[ValType] = &[ValType::I64];

const fn ty(params: &'static [ValType], results: &'static [ValType]) -> Signature {
    Signature { params, results }
}

const fn row(
    namespace: Namespace,
    name: &'static str,
    signatures: &'static [Signature],
    doc: &'static str,
) -> Import {
    Import { namespace, name, signatures, doc }
}

/// Every function of the ABI, by namespace. Where a slice of bytes is meant, it is a pointer and a length.
pub const IMPORTS: &[Import] = &[
    row(
        Namespace::Env,
        "env_get",
        &[ty(I32X4, I32)],
        "(key, key length, value, value length) → the value's length; writes the value if it fits, else nothing. NotFound if unset",
    ),
    row(Namespace::Io, "io_get_stdin", &[ty(NONE, I32)], "() → the resource id of the standard input"),
    row(Namespace::Io, "io_get_stdout", &[ty(NONE, I32)], "() → the resource id of the standard output"),
    row(Namespace::Io, "io_get_stderr", &[ty(NONE, I32)], "() → the resource id of the standard error"),
    row(
        Namespace::Log,
        "log_write",
        &[ty(I32X3, NONE)],
        "(level, text, text length); level 1 is an error, 3 a warning, 6 information",
    ),
    row(Namespace::Random, "random_i32", &[ty(NONE, I32)], "() → a random signed 32-bit number"),
    row(Namespace::Random, "random_u32", &[ty(NONE, I32)], "() → a random unsigned 32-bit number"),
    row(Namespace::Random, "random_i64", &[ty(NONE, I64)], "() → a random signed 64-bit number"),
    row(Namespace::Random, "random_u64", &[ty(NONE, I64)], "() → a random unsigned 64-bit number"),
    row(
        Namespace::Resource,
        "resource_open",
        &[ty(I32X2, I32)],
        "(url, url length) → a resource id; NotFound for a scheme that nobody provides, PermissionDenied where the policy does not allow the URL",
    ),
    row(
        Namespace::Resource,
        "resource_read",
        &[ty(I32X3, I32)],
        "(id, buffer, buffer length) → how many bytes were read; waits for the first; EndOfFile at the end",
    ),
    row(
        Namespace::Resource,
        "resource_write",
        &[ty(I32X3, I32)],
        "(id, bytes, bytes length) → how many bytes were written",
    ),
    row(
        Namespace::Resource,
        "resource_flush",
        &[ty(I32, I32)],
        "(id) → 0; what was written takes effect now: a request is sent",
    ),
    row(
        Namespace::Resource,
        "resource_close",
        &[ty(I32, NONE), ty(I32, I32)],
        "(id), with or without a result of 0; an id that is not open ends the program",
    ),
    row(
        Namespace::Runtime,
        "runtime_exit",
        &[ty(I32, NONE)],
        "(status); ends the program with that exit code",
    ),
    row(
        Namespace::Runtime,
        "runtime_spec_major",
        &[ty(NONE, I32)],
        "() → 0, the first part of the specification's version",
    ),
    row(
        Namespace::Runtime,
        "runtime_spec_minor",
        &[ty(NONE, I32)],
        "() → 2, the second part of the specification's version",
    ),
    row(
        Namespace::Runtime,
        "runtime_name",
        &[ty(I32X2, I32)],
        "(buffer, buffer length) → the name's length; writes `olin`. InvalidArgument if it does not fit",
    ),
    row(
        Namespace::Runtime,
        "runtime_msleep",
        &[ty(I32, NONE)],
        "(milliseconds); sleeps, never past the invocation's deadline",
    ),
    row(
        Namespace::Startup,
        "startup_arg_len",
        &[ty(NONE, I32)],
        "() → how many arguments there are; argument 0 is the program's name",
    ),
    row(
        Namespace::Startup,
        "startup_arg_at",
        &[ty(I32X3, I32)],
        "(index, buffer, buffer length) → how many bytes were written: what fits. InvalidArgument past the end",
    ),
    row(Namespace::Time, "time_now", &[ty(NONE, I64)], "() → whole seconds since 1970, UTC"),
];

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn names_are_unique_and_begin_with_their_namespace() {
        for (index, import) in IMPORTS.iter().enumerate() {
            let (first, _) = import.name.split_once('_').unwrap();
            assert_eq!(first, import.namespace.as_str(), "{}", import.name);
            assert!(IMPORTS[..index].iter().all(|earlier| earlier.name != import.name), "{}", import.name);
        }
    }

    #[test]
    fn the_table_is_in_the_order_of_namespaces_and_has_each() {
        assert!(IMPORTS.windows(2).all(|pair| pair[0].namespace <= pair[1].namespace));
        for namespace in Namespace::ALL {
            assert!(IMPORTS.iter().any(|import| import.namespace == namespace), "{namespace}");
        }
    }

    #[test]
    fn every_import_has_a_type_with_one_result_at_most_and_a_doc_of_one_line() {
        for import in IMPORTS {
            assert!(!import.signatures.is_empty(), "{}", import.name);
            assert!(
                import.signatures.iter().all(|signature| signature.results.len() <= 1),
                "{}",
                import.name
            );
            assert!(!import.doc.is_empty() && !import.doc.contains('\n'), "{}", import.name);
        }
    }

    #[test]
    fn close_is_accepted_with_and_without_a_result() {
        let close = import("resource_close").unwrap();
        assert!(close.accepts(&[ValType::I32], &[]));
        assert!(close.accepts(&[ValType::I32], &[ValType::I32]));
        assert!(!close.accepts(&[ValType::I64], &[]));
        assert!(!close.accepts(&[], &[]));
    }

    #[test]
    fn signatures_print_as_the_text_format_writes_them() {
        let printed = |name: &str| import(name).unwrap().signatures[0].to_string();
        assert_eq!(printed("env_get"), "(func (param i32 i32 i32 i32) (result i32))");
        assert_eq!(printed("log_write"), "(func (param i32 i32 i32))");
        assert_eq!(printed("time_now"), "(func (result i64))");
    }

    #[test]
    fn an_unknown_name_is_not_found() {
        assert_eq!(import("file_open"), None);
    }
}
