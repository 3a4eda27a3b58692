//! Opening the databases.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

pub(super) use super::migrate::newest_known;
use super::migrate::{
    Migrated, POSTGRES_COUNT_TABLE, SQLITE_COUNT_TABLE, Schema, applied, migrate_postgres, migrate_sqlite,
    required,
};
use super::{PostgresStore, SqliteStore};
use crate::store::StoreError;

/// How long a statement waits for another process's write in SQLite.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long whoever reads a whole installation waits for the database.
pub(super) const SNAPSHOT_WAIT: Duration = Duration::from_secs(10);
/// How many reads SQLite does at once.
const SQLITE_READERS_MAX: u32 = 4;
/// How long a verb waits for its turn at the one SQLite writer.
const SQLITE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many connections one process holds to PostgreSQL.
const POSTGRES_CONNECTIONS_MAX: u32 = 10;
/// How long a verb waits for a connection: the API promises its 503 within 2 s (docs/PROMISES.md). It is tried
/// before it is given out, so a database that is frozen takes no longer.
const POSTGRES_ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a connection that comes back may take to say that it still works. One that was cut off says nothing,
/// and has to make room for another.
const POSTGRES_RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl SqliteStore {
    /// Opens a database file, makes it (readable by its owner only) where there is none, and brings
    /// its schema up to date. The folder has to be there.
    pub async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_as(path, Schema::Migrate).await
    }

    /// Opens a database file, and does about its schema what is asked for; one that is required is not made.
    ///
    /// Every commit is synced to the disk (`synchronous=FULL`). In WAL mode `NORMAL` would keep the
    /// database whole, but may lose the last commits when the machine loses power, and a deploy that
    /// was answered must not be lost. The price is one sync a transaction; records, the only frequent
    /// writes, come in batches.
    ///
    /// All writes go through one connection: SQLite has one writer at a time anyway, and waiting in
    /// our queue is fair, where its busy timeout is not.
    pub async fn open_as(path: &Path, schema: Schema) -> Result<SqliteStore, StoreError> {
        if schema == Schema::Require && !path.exists() {
            return Err(StoreError::Older { found: 0, known: newest_known() });
        }
        let options = sqlite_options(path, schema).await?;
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(SQLITE_ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(|error| unusable(path, error))?;
        if schema == Schema::Migrate {
            migrate_sqlite(&mut *write.acquire().await?).await?;
        }
        let read = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(SQLITE_ACQUIRE_TIMEOUT)
            .connect_with(options.optimize_on_close(false, None).pragma("query_only", "ON"))
            .await?;
        Ok(SqliteStore { read, write })
    }

    /// Brings a database file's schema up to date, and makes the file where there is none.
    pub async fn migrate(path: &Path) -> Result<Migrated, StoreError> {
        let options = sqlite_options(path, Schema::Migrate).await?;
        let mut connection = options.connect().await.map_err(|error| unusable(path, error))?;
        let migrated = migrate_sqlite(&mut connection).await;
        connection.close().await?;
        migrated
    }
}

impl PostgresStore {
    /// Connects to a database by its URL and brings its schema up to date. Any number of processes may start at
    /// once.
    pub async fn connect(url: &str) -> Result<PostgresStore, StoreError> {
        PostgresStore::connect_as(url, Schema::Migrate).await
    }

    /// Connects to a database by its URL, and does about its schema what is asked for.
    pub async fn connect_as(url: &str, schema: Schema) -> Result<PostgresStore, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        with_postgres(&options, schema).await?;
        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(POSTGRES_ACQUIRE_TIMEOUT)
            .after_release(|connection, _| {
                Box::pin(async move {
                    match tokio::time::timeout(POSTGRES_RELEASE_TIMEOUT, connection.ping()).await {
                        Ok(answered) => answered.map(|()| true),
                        Err(_) => Err(sqlx::Error::PoolTimedOut),
                    }
                })
            })
            .connect_with(options)
            .await?;
        Ok(PostgresStore { read: pool.clone(), write: pool })
    }

    /// Brings a database's schema up to date.
    pub async fn migrate(url: &str) -> Result<Migrated, StoreError> {
        with_postgres(&url.parse()?, Schema::Migrate).await
    }
}

/// Looks at a PostgreSQL's schema and does about it what is asked for, on a connection of its own: whatever goes
/// wrong, closing it gives the lock back.
async fn with_postgres(options: &PgConnectOptions, schema: Schema) -> Result<Migrated, StoreError> {
    let mut connection = options.connect().await?;
    let migrated = match schema {
        Schema::Migrate => migrate_postgres(&mut connection).await,
        Schema::Require => required::<sqlx::Postgres>(&mut connection, POSTGRES_COUNT_TABLE).await,
    };
    connection.close().await?;
    migrated
}

/// How to open a file, which was looked at without changing anything in it.
async fn sqlite_options(path: &Path, schema: Schema) -> Result<SqliteConnectOptions, StoreError> {
    let is_new = make_private_file(path).map_err(|error| open_error(path, &error))?;
    if !is_new || schema == Schema::Require {
        look_at_sqlite(path, schema).await?;
    }
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT)
        .optimize_on_close(true, None))
}

/// Looks at an existing file without changing anything in it.
async fn look_at_sqlite(path: &Path, schema: Schema) -> Result<(), StoreError> {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(SQLITE_BUSY_TIMEOUT);
    let mut connection: SqliteConnection = options.connect().await.map_err(|error| unusable(path, error))?;
    let looked = match schema {
        Schema::Migrate => applied::<sqlx::Sqlite>(&mut connection, SQLITE_COUNT_TABLE).await.map(drop),
        Schema::Require => required::<sqlx::Sqlite>(&mut connection, SQLITE_COUNT_TABLE).await.map(drop),
    };
    connection.close().await?;
    looked.map_err(|error| match error {
        StoreError::Unavailable(error) => unusable(path, error),
        other => other,
    })
}

/// Makes the file where there is none, and closes it to everybody but its owner. SQLite gives the
/// files that it puts beside it the same mode. True if the file is new or empty.
fn make_private_file(path: &Path) -> io::Result<bool> {
    let file: File =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let metadata = file.metadata()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(metadata.len() == 0)
}

fn open_error(path: &Path, error: &io::Error) -> StoreError {
    let hint = match error.kind() {
        io::ErrorKind::NotFound => "make its folder first, or choose another with --data",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give this user the right to write there, or choose another folder with --data"
        }
        io::ErrorKind::IsADirectory => "it is a folder: choose another with --data",
        _ => "choose another folder with --data",
    };
    StoreError::Open { path: path.to_owned(), reason: format!("{error}; {hint}") }
}

pub(super) fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unavailable(error) => StoreError::Open {
            path: path.to_owned(),
            reason: format!("{error}; if it is no database of wasmcloud, choose another folder with --data"),
        },
        other => other,
    }
}
