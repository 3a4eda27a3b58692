//! A whole installation as one file: the backup, and the way from one database to another.
//!
//! The file is a tar. `manifest.json`, the first entry, says what is in it and how a key is made of the
//! passphrase; it alone can be read without. Then come, each encrypted with that key and bound to its name and
//! place, `keys`, the rows of each table as JSON lines in parts (`tables/users/0`), and `modules/DIGEST`. The last
//! entry is a sha256 over all entries before it, so that damage is told from a wrong passphrase.
//!
//! An import reads the file to its end before it writes anything, and takes neither entries in another order nor rows
//! that the API would not have written, whoever has the passphrase. Then it writes modules, then all rows in one
//! transaction. No more than one module, or one part of a table, is in memory at a time.

mod archive;
mod error;
mod keys;
mod manifest;
mod order;
mod read;
mod rows;
mod seal;
mod sound;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use wasmcloud_blob::Blobs;

use crate::store::Store;

pub use error::ExportError;
pub use read::{check, import};
pub use write::export;

/// Shortest passphrase that an export is sealed with, in bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 10;
/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1_024;

/// Where an installation is.
#[derive(Clone)]
pub struct Installation {
    /// Its database.
    pub store: Arc<dyn Store>,
    /// Its modules.
    pub blobs: Arc<dyn Blobs>,
    /// The file of the key that signs tokens.
    pub jwt_key_file: PathBuf,
    /// The file of the key that handlers' settings are encrypted with.
    pub settings_key_file: PathBuf,
}

/// What an export has in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Users.
    pub users: u64,
    /// Handlers, those among them that are deleted and whose names are held.
    pub handlers: u64,
    /// Versions of all handlers.
    pub versions: u64,
    /// Handlers' settings.
    pub settings: u64,
    /// Hosts with routes, proven or not.
    pub hosts: u64,
    /// Modules.
    pub modules: u64,
    /// Their size, in bytes.
    pub module_bytes: u64,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// What is there now.
    #[serde(flatten)]
    pub summary: Summary,
    /// Whether tokens from before are good here: the key that signs them came with the import, or is the same.
    pub tokens_are_good: bool,
    /// Settings that were encrypted anew, since the installation had a settings key of its own.
    pub settings_resealed: u64,
    /// Settings that could not be read before, and cannot be read now.
    pub settings_unreadable: u64,
}

/// Runs what blocks a thread where it holds up nobody.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ExportError::Stopped(error.to_string())),
    }
}
