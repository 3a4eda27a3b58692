//! Why the store did not do it.

use std::path::PathBuf;

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique name is taken.
    #[error("already taken")]
    Conflict,
    /// The database's schema is newer than this program.
    #[error(
        "the database was written by a newer wasmcloud (migration {found}; this one knows {known}): use that version or a newer one"
    )]
    Newer {
        /// The newest migration in the database.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The database's schema is older than this program, which may not bring it up to date here, or does not.
    #[error(
        "the database has migration {found}, and this wasmcloud works with {known}: bring it up to date first, with \
         `wasmcloud migrate` and the same --database or --data, or use the version that runs on it"
    )]
    Older {
        /// The newest migration in the database.
        found: i64,
        /// The newest migration that this program has.
        known: i64,
    },
    /// The database file cannot be opened or made.
    #[error("cannot open the database {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The database's schema could not be brought up to date.
    #[error("cannot bring the database up to date: {0}")]
    Migration(#[source] Box<MigrateError>),
    /// The disk that the database lives on is full. Reads go on.
    #[error("the database's disk is full: free some space, nothing has to be restarted")]
    Full,
    /// The database cannot be reached, or failed.
    #[error("database: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// A stored value that cannot be read back.
    #[error("stored value is unreadable: {0}")]
    Corrupt(String),
}

/// SQLite's `SQLITE_FULL`, and PostgreSQL's `disk_full`.
const FULL_CODES: &[&str] = &["13", "53100"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        if let sqlx::Error::Database(database) = &error {
            if database.kind() == ErrorKind::UniqueViolation {
                return StoreError::Conflict;
            }
            if database.code().is_some_and(|code| FULL_CODES.contains(&code.as_ref())) {
                return StoreError::Full;
            }
        }
        match error {
            sqlx::Error::Decode(reason) => StoreError::Corrupt(reason.to_string()),
            sqlx::Error::ColumnDecode { index, source } => {
                StoreError::Corrupt(format!("column {index}: {source}"))
            }
            other => StoreError::Unavailable(other),
        }
    }
}
