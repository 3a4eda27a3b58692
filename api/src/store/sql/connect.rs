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
use crate::store::{Refused, StoreError};

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
        let (options, place) = postgres_options(url)?;
        with_postgres(&options, &place, schema).await?;
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
        let (options, place) = postgres_options(url)?;
        with_postgres(&options, &place, Schema::Migrate).await
    }
}

/// How to connect to a URL, and what that database is called in messages.
pub(super) fn postgres_options(url: &str) -> Result<(PgConnectOptions, String), StoreError> {
    let options: PgConnectOptions = url.parse().map_err(|error| unconnected(THE_DATABASE, error))?;
    if let Some(key) = unknown_parameter(url) {
        tracing::warn!(key, "a parameter of the database's URL is not known, and does nothing");
    }
    // What stands behind the host and has an `@` may be the rest of a password that is not encoded.
    let rest = url.split_once("://").and_then(|(_, rest)| rest.find(['/', '?', '#']).map(|at| &rest[at..]));
    let place = match (rest.is_some_and(|rest| rest.contains('@')), options.get_socket()) {
        (true, _) => THE_DATABASE.to_owned(),
        (false, Some(socket)) => format!("{THE_DATABASE} at {}", socket.display()),
        (false, None) => format!("{THE_DATABASE} at {}:{}", options.get_host(), options.get_port()),
    };
    Ok((options, place))
}

/// A parameter that means nothing, without its value. One that has an unusual name may be something else.
fn unknown_parameter(url: &str) -> Option<&str> {
    let (_, query) = url.split_once('?').filter(|(_, query)| !query.contains('@'))?;
    let mut keys = query.split(['&', '#']).filter_map(|pair| Some(pair.split_once('=')?.0));
    let is_plain =
        |key: &str| key.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'));
    keys.find(|key| is_plain(key) && !POSTGRES_PARAMETERS.contains(key))
}

/// The parameters that sqlx takes in a URL (`PgConnectOptions`).
const POSTGRES_PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// What a database is called whose place is not shown.
const THE_DATABASE: &str = "the database";

/// An error of a connection that was never there.
pub(super) fn unconnected(place: &str, error: sqlx::Error) -> StoreError {
    StoreError::Connect { place: place.to_owned(), reason: Refused::of(&error), error }
}

/// Looks at a PostgreSQL's schema and does about it what is asked for, on a connection of its own: whatever goes
/// wrong, closing it gives the lock back.
async fn with_postgres(
    options: &PgConnectOptions,
    place: &str,
    schema: Schema,
) -> Result<Migrated, StoreError> {
    let mut connection = options.connect().await.map_err(|error| unconnected(place, error))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_told_by_its_place_and_never_by_its_password() {
        let place =
            |url: &str| postgres_options(url).map(|(_, place)| place).map_err(|error| error.to_string());
        let at_host = Ok("the database at db.example:5499".to_owned());
        assert_eq!(place("postgres://u:sesame@db.example:5499/d"), at_host);
        assert_eq!(place("postgres://u:se%2Fsa%40me@db.example:5499/d"), at_host);
        // The user is taken for the host, and what begins the password for a port.
        assert_eq!(place("postgres://u:12/sesame@db.example/d"), Ok("the database".to_owned()));
        for url in
            ["postgres://u:sesame/12@h/d", "postgres://u:sesame#12@h/d", "postgres://u:sesame@h:sesame/d"]
        {
            let error = place(url).unwrap_err();
            assert!(error.starts_with("the database cannot be used") && !error.contains("sesame"), "{error}");
        }
    }

    #[test]
    fn of_a_parameter_that_is_not_known_the_name_is_told() {
        assert_eq!(unknown_parameter("postgres://h/d?sslmode=require&sslmod=x"), Some("sslmod"));
        assert_eq!(unknown_parameter("postgres://h/d?password=x&application_name=a"), None);
        assert_eq!(unknown_parameter("postgres://u:12?sesame=x@h/d"), None);
    }
}
