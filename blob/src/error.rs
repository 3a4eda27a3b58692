//! Why bytes were not kept or not found.

use std::io;
use std::path::{Path, PathBuf};

use wasmcloud_wire::Digest;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

/// Why bytes were not kept or not found.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The bytes to be kept have another digest than the caller says.
    #[error(
        "these bytes have the digest {actual}, not {expected}: they were damaged on their way, send them again"
    )]
    Mismatch {
        /// What the caller says.
        expected: Digest,
        /// What the bytes have.
        actual: Digest,
    },
    /// The bytes that are kept no longer have their digest.
    #[error(
        "the stored module {digest} is damaged (its bytes now have the digest {actual}): upload it again"
    )]
    Corrupt {
        /// What they were kept under.
        digest: Digest,
        /// What they have now.
        actual: Digest,
    },
    /// What is kept under a module's digest is larger than any module: it is not read.
    #[error(
        "what {storage} has as the module {digest} is larger than any module ({UPLOAD_BYTES_MAX} bytes): upload it \
         again"
    )]
    Oversized {
        /// What it is kept under.
        digest: Digest,
        /// Where it is kept.
        storage: String,
    },
    /// There is no room. What is kept already can still be read.
    #[error("no room left at {}: free some space, nothing has to be restarted", path.display())]
    Full {
        /// Where there is no room.
        path: PathBuf,
    },
    /// This process may not write there.
    #[error("cannot write to {}: {source}; give this user the right to write there, or choose another folder with --data", path.display())]
    Unwritable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The bucket's storage does not answer, or not as it should. Trying again later may help.
    #[error("cannot {action} {storage}: {reason}")]
    Unavailable {
        /// The bucket, and where it is.
        storage: String,
        /// What was tried.
        action: &'static str,
        /// What happened.
        reason: String,
    },
    /// The bucket's storage refuses what is asked of it.
    #[error(
        "cannot {action} {storage}: it says {reason}. Check the key (it has to read, write, delete and list), the region, \
         the path style and this machine's clock"
    )]
    Refused {
        /// The bucket, and where it is.
        storage: String,
        /// What was tried.
        action: &'static str,
        /// What the storage says.
        reason: String,
    },
    /// There is no such bucket.
    #[error("there is no bucket for {storage}: make it, or correct --storage and --storage-endpoint")]
    NoBucket {
        /// The bucket, and where it should be.
        storage: String,
    },
    /// The settings of a bucket cannot be used.
    #[error("{0}")]
    Unsuitable(String),
    /// Reading or writing failed in another way.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl BlobError {
    /// Sorts an error of the system by what can be done about it.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> BlobError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::Full { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                BlobError::Unwritable { path, source }
            }
            _ => BlobError::Io { action, path, source },
        }
    }
}
