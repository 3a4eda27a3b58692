//! Files with keys: made at the first start, readable by their owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use uuid::Uuid;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file can be neither read nor made.
    #[error("cannot use the key file {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file that should have the key that signs tokens holds something else.
    #[error(
        "{path} holds no Ed25519 key in PKCS#8: restore it from a backup, or delete it, \
         which ends every token there is",
        path = .0.display()
    )]
    NotAKey(PathBuf),
    /// The file that should have the key of handlers' settings holds something else.
    #[error(
        "{path} holds no settings key, which is 64 hex digits: restore it from a backup; without it, the \
         settings that handlers have cannot be read",
        path = .0.display()
    )]
    NotASettingsKey(PathBuf),
    /// The system gave no randomness.
    #[error("cannot make a key: the system gives no randomness")]
    Random,
}

/// Reads a key file, or makes it where there is none. Whoever came first wins, so that two servers on one
/// folder agree. `what` is for the log, where others can read the file too.
pub(crate) fn load_or_create(
    path: &Path,
    what: &str,
    make: impl FnOnce() -> Result<Vec<u8>, KeyError>,
) -> Result<Vec<u8>, KeyError> {
    let error = |source| KeyError::File { path: path.to_owned(), source };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
            create(path, &make()?).map_err(error)?;
            fs::read(path).map_err(error)?
        }
        Err(other) => return Err(error(other)),
    };
    let mode = fs::metadata(path).map_err(error)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777),
            "others can read {what}: chmod 600 it");
    }
    Ok(bytes)
}

/// Writes a file that only its owner can read, whole or not at all; leaves one that is there.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", Uuid::new_v4()));
    let fresh = path.with_file_name(name);
    let written = write_new(&fresh, bytes).and_then(|()| match fs::hard_link(&fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // The temporary name goes whatever happened; if it cannot, the folder is what failed above.
    let _ = fs::remove_file(&fresh);
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
