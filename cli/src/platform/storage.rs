//! The data directory: database, modules, keys, compiled modules.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmcloud_api::store::{PostgresStore, SqliteStore, Store};
use wasmcloud_blob::{Blobs, FsBlobs};

use super::failed;
use super::options::{ApiOptions, Common};
use crate::failure::Failure;

const ELSEWHERE: &str = "make it writable, or name another data directory with --data";

/// A data directory that belongs to this process alone.
pub struct DataDir {
    path: PathBuf,
    /// Held for as long as the process lives.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, and takes it.
    pub fn open(common: &Common) -> Result<DataDir, Failure> {
        let path = common.data_dir()?;
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            failed("data_dir", format!("{what} {}: {error}", path.display()), ELSEWHERE)
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| failed("cannot make", &error))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .map_err(|error| failed("cannot write to", &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(super::failed(
                    "data_dir",
                    format!("another wasmcloud is using {}", path.display()),
                    "stop it first, or name another data directory with --data",
                ));
            }
            Err(TryLockError::Error(error)) => return Err(failed("cannot lock", &error)),
        }
        Ok(DataDir { path, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the database.
    pub async fn store(&self, api: &ApiOptions) -> Result<Arc<dyn Store>, Failure> {
        match &api.database {
            None => SqliteStore::open(&self.path.join("wasmcloud.sqlite"))
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
                .map_err(|error| failed("database", error, ELSEWHERE)),
            Some(url) => PostgresStore::connect(&url.0)
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
                .map_err(|error| failed("database", error, "check --database, and that the server runs")),
        }
    }

    /// Opens the folder for modules.
    pub async fn blobs(&self) -> Result<Arc<dyn Blobs>, Failure> {
        let path = self.path.join("modules");
        match FsBlobs::open(&path).await {
            Ok(blobs) => Ok(Arc::new(blobs)),
            Err(error) => Err(failed("modules", error, ELSEWHERE)),
        }
    }

    /// Where the key that signs tokens is kept.
    pub fn jwt_key_file(&self) -> PathBuf {
        self.path.join("jwt-key.pk8")
    }
}
