//! The data directory: database, modules, keys, compiled modules.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wasmcloud_api::store::{Migrated, PostgresStore, Refused, Schema, SqliteStore, Store, StoreError};
use wasmcloud_blob::{BlobError, Blobs, FsBlobs, S3Blobs};

use super::failed;
use super::options::{ApiOptions, Common, DatabaseUrl, StorageOptions};
use crate::failure::Failure;

const ELSEWHERE: &str = "make it writable, or name another data directory with --data";

const CHECK_DATABASE: &str =
    "check --database (WASMCLOUD_DATABASE, [api] database), and that the database's server runs";
const NO_SUCH_DATABASE: &str =
    "make it with createdb, or correct --database (WASMCLOUD_DATABASE, [api] database)";
const NO_SUCH_HOST: &str = "check the host in --database (WASMCLOUD_DATABASE, [api] database); in a password, write @ as %40 and / as %2F";
const WRONG_PASSWORD: &str = "correct the user and the password, in --database (WASMCLOUD_DATABASE, [api] database), PGPASSWORD or ~/.pgpass";

/// Brings the database up to date; with the file that it is in, if it is in one. One that is not in the data
/// directory needs no such directory.
pub async fn migrate(
    common: &Common,
    database: Option<&DatabaseUrl>,
) -> Result<(Migrated, Option<PathBuf>), Failure> {
    let Some(url) = database else {
        let data = DataDir::open(common)?;
        let file = data.database();
        let migrated =
            SqliteStore::migrate(&file).await.map_err(|error| database_failed(&error, ELSEWHERE))?;
        return Ok((migrated, Some(file)));
    };
    let migrated = PostgresStore::migrate(url.reveal()?).await;
    Ok((migrated.map_err(|error| database_failed(&error, CHECK_DATABASE))?, None))
}

/// What to do about an error; a schema of another version says that itself.
fn database_failed(error: &StoreError, hint: &str) -> Failure {
    let hint = match error {
        StoreError::Older { .. } | StoreError::Newer { .. } => "",
        StoreError::Connect { reason: Refused::NoSuchDatabase, .. } => NO_SUCH_DATABASE,
        StoreError::Connect { reason: Refused::NoSuchHost, .. } => NO_SUCH_HOST,
        StoreError::Connect { reason: Refused::Password, .. } => WRONG_PASSWORD,
        _ => hint,
    };
    failed("database", error, hint)
}

/// A data directory; one that is opened belongs to this process alone.
pub struct DataDir {
    path: PathBuf,
    /// Held for as long as the process lives.
    _lock: Option<File>,
}

impl DataDir {
    /// Makes the directory if need be, and takes it.
    pub fn open(common: &Common) -> Result<DataDir, Failure> {
        let path = common.data_dir()?;
        if path.is_file() {
            let message = format!("{} is a file, where the data directory should be", path.display());
            return Err(failed("data_dir", message, "name a folder with --data (WASMCLOUD_DATA)"));
        }
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
        Ok(DataDir { path, _lock: Some(lock) })
    }

    /// A data directory that is there, to be read while a server may be using it.
    pub fn look(common: &Common) -> Result<DataDir, Failure> {
        let path = common.data_dir()?;
        match path.is_dir() {
            true => Ok(DataDir { path, _lock: None }),
            false if path.is_file() => Err(failed(
                "data_dir",
                format!("{} is a file, where the data directory should be", path.display()),
                "name a folder with --data (WASMCLOUD_DATA)",
            )),
            false => Err(failed(
                "data_dir",
                format!("there is no data directory {}", path.display()),
                "name the one that the server has, with --data",
            )),
        }
    }

    /// Opens a database that is there to read it, while a server may be using it.
    pub async fn store_to_read(&self, api: &ApiOptions) -> Result<Arc<dyn Store>, Failure> {
        let opened: Result<Arc<dyn Store>, StoreError> = match &api.database {
            None if !self.database().exists() => {
                let message = format!("there is no database in {}", self.path.display());
                return Err(failed("database", message, "name the server's own --data or --database"));
            }
            None => SqliteStore::open_to_read(&self.database()).await.map(|store| Arc::new(store) as _),
            Some(url) => {
                PostgresStore::connect_to_read(url.reveal()?).await.map(|store| Arc::new(store) as _)
            }
        };
        opened.map_err(|error| {
            database_failed(&error, "check --data and --database, and that the database runs")
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the database, and does about its schema what is asked for.
    pub async fn store(&self, api: &ApiOptions, schema: Schema) -> Result<Arc<dyn Store>, Failure> {
        match &api.database {
            None => SqliteStore::open_as(&self.database(), schema)
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
                .map_err(|error| database_failed(&error, ELSEWHERE)),
            Some(url) => PostgresStore::connect_as(url.reveal()?, schema)
                .await
                .map(|store| Arc::new(store) as Arc<dyn Store>)
                .map_err(|error| database_failed(&error, CHECK_DATABASE)),
        }
    }

    /// Where SQLite keeps the database.
    fn database(&self) -> PathBuf {
        self.path.join("wasmcloud.sqlite")
    }

    /// Opens the bucket for modules, or the folder.
    ///
    /// A bucket that does not answer is no reason not to start: what is deployed needs it hardly ever, and it may
    /// be back in a minute. One that is not there, or refuses the key, is.
    pub async fn blobs(&self, storage: &StorageOptions) -> Result<Arc<dyn Blobs>, Failure> {
        if let Some(config) = storage.bucket()? {
            let unusable = |error: BlobError| {
                failed(
                    "storage",
                    error,
                    "correct the options that begin with --storage; docs/OPERATING.md has examples",
                )
            };
            let blobs = S3Blobs::new(&config).map_err(unusable)?;
            match blobs.check().await {
                Err(error @ BlobError::Unavailable { .. }) => {
                    tracing::error!(%error, "the modules' storage does not answer: uploads answer 503 until it does");
                }
                checked => checked.map_err(unusable)?,
            }
            return Ok(Arc::new(blobs));
        }
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

    /// Where the key of handlers' settings is kept, unless an operator says otherwise.
    pub fn settings_key_file(&self) -> PathBuf {
        self.path.join("settings-key")
    }
}
