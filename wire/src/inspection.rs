//! What is known of a module before it runs.

use serde::{Deserialize, Serialize};

use crate::Abi;

/// A module that can run here: what it is and what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// How it speaks to the host.
    pub abi: Abi,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What it imports, in its own order.
    pub imports: Vec<Import>,
    /// What it exports, in its own order.
    pub exports: Vec<Export>,
    /// The linear memory that it begins with, in bytes.
    pub memory_bytes_min: u64,
    /// The linear memory that it never exceeds, in bytes, if it says so.
    pub memory_bytes_max: Option<u64>,
    /// Settings of its handler that it reads.
    #[serde(default)]
    pub needs: Needs,
    /// Files that came with it, in the order of their paths.
    #[serde(default)]
    pub files: Vec<ShippedFile>,
}

/// Settings that a module reads, as far as its code and its own declaration tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Variables of the environment.
    pub env: Vec<Need>,
    /// Keys of `wasi:config`.
    pub config: Vec<Need>,
}

/// One setting that a module reads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// Its name.
    pub name: String,
    /// Whether the module says of itself that it cannot do without; what was only found in its code, it
    /// may know how to miss.
    pub required: bool,
}

/// A file beside a module, which its program can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedFile {
    /// Its path from the root, without a slash before it.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// An import: what a module asks its host for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The import's module, such as `cwa`.
    pub module: String,
    /// Its name, such as `log_write`.
    pub name: String,
    /// Its type in the text format's words, such as `(func (param i32 i32) (result i32))`.
    pub ty: String,
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// `func`, `memory`, `table`, `global` or `tag`.
    pub kind: String,
}

/// Why a file cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A stable word: `not_wasm`, `invalid_module`, `invalid_section`, `unsupported_feature`, `unmet_import`,
    /// `missing_entry`, `missing_memory`, `over_limit`, `compile_failed`, `compile_limit`.
    pub code: String,
    /// What is wrong, naming the import or the number at fault.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

impl Refusal {
    /// A refusal made of its three parts.
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Refusal {
        Refusal { code: code.to_owned(), message: message.into(), hint: hint.into() }
    }
}
