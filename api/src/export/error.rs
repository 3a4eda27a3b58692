//! Why an installation was not exported or imported, and what to do.

use std::io;
use std::path::PathBuf;

use wasmcloud_blob::BlobError;
use wasmcloud_wire::Digest;

use super::{PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN};
use crate::KeyError;
use crate::store::StoreError;

/// Why an installation was not exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The place for modules failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A key file can be neither read nor made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The export's file cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file in the export's place.
    #[error("{} is there already, and no export is written over another file", .0.display())]
    Exists(PathBuf),
    /// Nobody has used this installation yet.
    #[error("there is nothing to export: no user was ever made here")]
    Nothing,
    /// A key file is missing that an installation has.
    #[error("the key file {} is missing: what was exported without it could not be used", .0.display())]
    KeyMissing(PathBuf),
    /// A module that a handler needs is gone.
    #[error("the module {digest} is not stored any more, and it is {}", users.join(", "))]
    ModuleMissing {
        /// The module.
        digest: Digest,
        /// Which versions it is, in words.
        users: Vec<String>,
    },
    /// Handlers were deleted while their modules were read, several times.
    #[error("handlers were deleted while they were exported")]
    Changed,
    /// A passphrase that is too short, or too long.
    #[error("the passphrase has {0} bytes; it has to have {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX}")]
    Passphrase(usize),
    /// The system gave no randomness.
    #[error("the system gives no randomness")]
    Random,
    /// The file is something else.
    #[error("{} is no export of wasmcloud: {what}", path.display())]
    NotAnExport {
        /// The file.
        path: PathBuf,
        /// What was found instead.
        what: String,
    },
    /// The file was written in a way that this program does not know.
    #[error("{} was written by wasmcloud {program} in format {format}, and this one knows {known}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Who wrote it.
        program: String,
        /// Its format.
        format: u64,
        /// The newest format that this program knows.
        known: u64,
    },
    /// The file's tables are not those of this program.
    #[error("{} was written by wasmcloud {program} with migration {found}, and this one works with {known}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Who wrote it.
        program: String,
        /// Its tables' migration.
        found: i64,
        /// The migration that this program works with.
        known: i64,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The file is whole, and has a row that no API would have written.
    #[error("{} has a row of {table} that cannot be taken: {what}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// The row's table.
        table: &'static str,
        /// What is wrong, in characters that can be shown.
        what: String,
    },
    /// The file is whole, and the passphrase is another.
    #[error("this is not the passphrase that {} is sealed with", .0.display())]
    WrongPassphrase(PathBuf),
    /// There is an installation already where one should be put.
    #[error("there are users here already, and an import does not mix installations")]
    NotEmpty,
    /// A thread of this program ended early.
    #[error("stopped in the middle: {0}")]
    Stopped(String),
}

impl ExportError {
    /// A file that could not be used.
    pub(super) fn file(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> ExportError {
        ExportError::File { action, path: path.into(), source }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ExportError::Store(_) => "database",
            ExportError::Blob(_) | ExportError::ModuleMissing { .. } => "modules",
            ExportError::Key(_) | ExportError::KeyMissing(_) => "key",
            ExportError::File { .. } | ExportError::Exists(_) => "file",
            ExportError::Nothing => "nothing_to_export",
            ExportError::Changed => "changed",
            ExportError::Passphrase(_) => "invalid_passphrase",
            ExportError::Random | ExportError::Stopped(_) => "system",
            ExportError::NotAnExport { .. } => "no_export",
            ExportError::Format { .. } | ExportError::Schema { .. } => "other_version",
            ExportError::Damaged { .. } => "damaged",
            ExportError::Unsound { .. } => "unsound",
            ExportError::WrongPassphrase(_) => "wrong_passphrase",
            ExportError::NotEmpty => "not_empty",
        }
    }

    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            ExportError::Store(StoreError::Full) | ExportError::Blob(BlobError::Full { .. }) => {
                "free some space, and run the same command again"
            }
            ExportError::Store(StoreError::Older { .. } | StoreError::Newer { .. }) => {
                "run the same command again then"
            }
            ExportError::Store(_) => "check --data and --database, and that the database runs",
            ExportError::Blob(_) => "check the place for modules, and run the same command again",
            ExportError::Key(_) => "check the key file",
            ExportError::KeyMissing(_) => {
                "say where the keys are, as the server is told, or restore them from a backup"
            }
            ExportError::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                    "there is no room left: free some space, or choose another place"
                }
                io::ErrorKind::NotFound => "check the path",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "give this user the right to it, or choose another place"
                }
                _ => "choose another place",
            },
            ExportError::Exists(_) => "choose another name, or move the file away",
            ExportError::Nothing => "name the installation with --data and --database",
            ExportError::ModuleMissing { .. } => {
                "upload the same program again, which puts it back, or delete the handler"
            }
            ExportError::Changed => "run the same command again",
            ExportError::Passphrase(_) => "choose another; several words are good",
            ExportError::Random => "try again",
            ExportError::NotAnExport { .. } => "name a file that `wasmcloud export` wrote",
            ExportError::Format { program, .. } => {
                return format!("import it with wasmcloud {program}, or a newer one");
            }
            ExportError::Schema { program, .. } => {
                return format!(
                    "import it with wasmcloud {program}, then start this one on what it imported"
                );
            }
            ExportError::Damaged { .. } => "take another copy of it; nothing was written",
            ExportError::Unsound { .. } => {
                "nothing was written. Somebody who knows the passphrase may have changed the file: take one that you \
                 trust, or mend that row in the installation that it comes from and export it again"
            }
            ExportError::WrongPassphrase(_) => "try again; nothing was written",
            ExportError::NotEmpty => {
                "import into a new installation, before its first start: another --data, or an empty database"
            }
            ExportError::Stopped(_) => "report this as a bug",
        }
        .to_owned()
    }
}
