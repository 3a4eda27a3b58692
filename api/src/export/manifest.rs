//! What an export says of itself before anything in it is opened.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasmcloud_wire::Timestamp;

use super::seal::Derivation;
use super::{ExportError, Summary};

/// The first entry.
pub const MANIFEST_ENTRY: &str = "manifest.json";
/// The format that this program writes, and the newest that it reads.
const FORMAT: u64 = 1;
/// Largest manifest, in bytes.
const MANIFEST_BYTES_MAX: usize = 64 << 10;

/// What an export says of itself. Everything else in the file is bound to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How the file is made.
    format: u64,
    /// The version of wasmcloud that wrote it.
    pub program: String,
    /// When, in RFC 3339.
    created_at: String,
    /// The database's newest migration, whose columns the rows have.
    pub schema: i64,
    /// How the key is made that everything is sealed with.
    pub passphrase: Derivation,
    /// How many rows each table has.
    pub rows: BTreeMap<String, u64>,
    /// How many modules there are.
    pub modules: u64,
    /// Their size, in bytes.
    pub module_bytes: u64,
}

/// What manifests of all formats have.
#[derive(Deserialize)]
struct AnyManifest {
    format: u64,
    #[serde(default)]
    program: String,
}

impl Manifest {
    /// A new one.
    pub fn new(
        now: Timestamp,
        schema: i64,
        rows: BTreeMap<String, u64>,
        modules: &[u64],
    ) -> Result<Manifest, ExportError> {
        Ok(Manifest {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: now.rfc3339(),
            schema,
            passphrase: Derivation::fresh()?,
            rows,
            modules: modules.len() as u64,
            module_bytes: modules.iter().sum(),
        })
    }

    /// Its text in the file.
    pub fn to_json(&self) -> Result<Vec<u8>, ExportError> {
        serde_json::to_vec_pretty(self).map_err(|error| ExportError::Stopped(error.to_string()))
    }

    /// Reads it; `path` is whose it is.
    pub fn read(text: &[u8], path: &Path) -> Result<Manifest, ExportError> {
        let none = |what: String| ExportError::NotAnExport { path: path.to_owned(), what };
        if text.len() > MANIFEST_BYTES_MAX {
            return Err(none(format!("its {MANIFEST_ENTRY} is too large")));
        }
        let any: AnyManifest =
            serde_json::from_slice(text).map_err(|error| none(format!("its {MANIFEST_ENTRY}: {error}")))?;
        if any.format != FORMAT {
            return Err(ExportError::Format {
                path: path.to_owned(),
                program: any.program,
                format: any.format,
                known: FORMAT,
            });
        }
        serde_json::from_slice(text).map_err(|error| none(format!("its {MANIFEST_ENTRY}: {error}")))
    }

    /// How many rows of a table there have to be.
    pub fn rows_of(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or_default()
    }

    /// What is in the file.
    pub fn summary(&self) -> Summary {
        Summary {
            users: self.rows_of("users"),
            handlers: self.rows_of("handlers"),
            versions: self.rows_of("versions"),
            settings: self.rows_of("handler_settings"),
            hosts: self.rows_of("hosts"),
            modules: self.modules,
            module_bytes: self.module_bytes,
        }
    }
}
