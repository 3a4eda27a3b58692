//! Opening the databases, and bringing their schema up to date.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::backend::{Backend, Columns as _};
use super::value::values;
use super::{PostgresStore, SqliteStore};
use crate::store::StoreError;

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("../migrations/postgres");

/// How long a statement waits for another process's write in SQLite.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many reads SQLite does at once.
const SQLITE_READERS_MAX: u32 = 4;
/// How long a verb waits for its turn at the one SQLite writer.
const SQLITE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many connections one process holds to PostgreSQL.
const POSTGRES_CONNECTIONS_MAX: u32 = 10;
/// How long a verb waits for a connection: the API promises its 503 within 2 s (docs/PROMISES.md).
const POSTGRES_ACQUIRE_TIMEOUT: Duration = Duration::from_millis(1_500);

impl SqliteStore {
    /// Opens a database file, makes it (readable by its owner only) where there is none, and brings
    /// its schema up to date. The folder has to be there.
    ///
    /// Every commit is synced to the disk (`synchronous=FULL`). In WAL mode `NORMAL` would keep the
    /// database whole, but may lose the last commits when the machine loses power, and a deploy that
    /// was answered must not be lost. The price is one sync a transaction; records, the only frequent
    /// writes, come in batches.
    ///
    /// All writes go through one connection: SQLite has one writer at a time anyway, and waiting in
    /// our queue is fair, where its busy timeout is not.
    pub async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let is_new = make_private_file(path).map_err(|error| open_error(path, &error))?;
        if !is_new {
            refuse_newer_sqlite(path).await?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .optimize_on_close(true, None);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(SQLITE_ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await
            .map_err(|error| unusable(path, error))?;

        // One transaction around all of it, so that two processes that start at once do not both
        // make the same tables: sqlx has no lock of its own for SQLite.
        let mut transaction = super::backend::begin(&write).await?;
        SQLITE_MIGRATIONS
            .run(&mut *transaction)
            .await
            .map_err(|error| migration_error(error, &SQLITE_MIGRATIONS))?;
        transaction.commit().await?;

        let read = SqlitePoolOptions::new()
            .max_connections(SQLITE_READERS_MAX)
            .acquire_timeout(SQLITE_ACQUIRE_TIMEOUT)
            .connect_with(options.optimize_on_close(false, None).pragma("query_only", "ON"))
            .await?;
        Ok(SqliteStore { read, write })
    }
}

impl PostgresStore {
    /// Connects to a database by its URL and brings its schema up to date, under an advisory lock, so
    /// that any number of processes may start at once.
    pub async fn connect(url: &str) -> Result<PostgresStore, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        // A connection of its own: whatever goes wrong, closing it gives the lock back.
        let mut connection = options.connect().await?;
        let migrated = migrate_postgres(&mut connection).await;
        connection.close().await?;
        migrated?;

        let pool = PgPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS_MAX)
            .acquire_timeout(POSTGRES_ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await?;
        Ok(PostgresStore { read: pool.clone(), write: pool })
    }
}

async fn migrate_postgres(connection: &mut PgConnection) -> Result<(), StoreError> {
    let table = "SELECT count(*) FROM pg_catalog.pg_tables
        WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'";
    refuse_newer::<sqlx::Postgres>(connection, table, &POSTGRES_MIGRATIONS).await?;
    POSTGRES_MIGRATIONS.run(connection).await.map_err(|error| migration_error(error, &POSTGRES_MIGRATIONS))
}

/// Looks at an existing file without changing anything in it.
async fn refuse_newer_sqlite(path: &Path) -> Result<(), StoreError> {
    let options =
        SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(SQLITE_BUSY_TIMEOUT);
    let mut connection: SqliteConnection = options.connect().await.map_err(|error| unusable(path, error))?;
    let table = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
    let checked = refuse_newer::<sqlx::Sqlite>(&mut connection, table, &SQLITE_MIGRATIONS).await;
    connection.close().await?;
    checked.map_err(|error| match error {
        StoreError::Unavailable(error) => unusable(path, error),
        other => other,
    })
}

/// Refuses a database with a migration that this program does not have.
async fn refuse_newer<B: Backend>(
    connection: &mut B::Connection,
    count_table: &'static str,
    migrations: &Migrator,
) -> Result<(), StoreError> {
    let counted = B::rows(connection, count_table, &[]).await?;
    if counted.first().map(|row| row.int(0)).transpose()? != Some(1) {
        return Ok(());
    }
    let known = newest(migrations);
    let newer = "SELECT version FROM _sqlx_migrations WHERE version > $1 ORDER BY version DESC LIMIT 1";
    match B::rows(connection, newer, values![known]).await?.first() {
        Some(row) => Err(StoreError::Newer { found: row.int(0)?, known }),
        None => Ok(()),
    }
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
}

fn migration_error(error: MigrateError, migrations: &Migrator) -> StoreError {
    let known = newest(migrations);
    match error {
        // A newer program was faster than our first look.
        MigrateError::VersionMissing(found) if found > known => StoreError::Newer { found, known },
        MigrateError::Execute(error) => error.into(),
        other => StoreError::Migration(Box::new(other)),
    }
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

fn unusable(path: &Path, error: sqlx::Error) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unavailable(error) => StoreError::Open {
            path: path.to_owned(),
            reason: format!("{error}; if it is no database of wasmcloud, choose another folder with --data"),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations_and_the_program_has_all_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let files = |database: &str| {
            let entries = std::fs::read_dir(folder.join(database)).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let embedded = |migrations: &Migrator| {
            let name = |version: i64, words: &str| format!("{version:04}_{}.sql", words.replace(' ', "_"));
            migrations.iter().map(|found| name(found.version, &found.description)).collect::<Vec<_>>()
        };
        assert_eq!(files("sqlite"), files("postgres"));
        assert_eq!(embedded(&SQLITE_MIGRATIONS), files("sqlite"));
        assert_eq!(embedded(&POSTGRES_MIGRATIONS), files("postgres"));
    }
}
