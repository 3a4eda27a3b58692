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
    /// The account that something was to be added to is not there any more.
    #[error("the account is not there any more")]
    AccountGone,
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
    /// There is no connection to the database.
    #[error("{place} {}", if error.as_database_error().is_some() { "says: " } else { "cannot be used: " }.to_owned() + &said(error))]
    Connect {
        /// Which database, without its password.
        place: String,
        /// What kind of mistake it is.
        reason: Refused,
        /// What was said.
        #[source]
        error: sqlx::Error,
    },
    /// The database cannot be reached, or failed.
    #[error("database: {}", said(.0))]
    Unavailable(#[source] sqlx::Error),
    /// A stored value that cannot be read back.
    #[error("stored value is unreadable: {0}")]
    Corrupt(String),
}

/// Why there is no connection to a database, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server has no database of that name.
    NoSuchDatabase,
    /// The server does not know the user, or takes another password.
    Password,
    /// The host's name is not known.
    NoSuchHost,
    /// Something else.
    Other,
}

impl Refused {
    /// By PostgreSQL's codes: `invalid_catalog_name`, `invalid_password`, `invalid_authorization_specification`.
    pub(super) fn of(error: &sqlx::Error) -> Refused {
        match error {
            sqlx::Error::Database(error) => match error.code().as_deref() {
                Some("3D000") => Refused::NoSuchDatabase,
                Some("28P01" | "28000") => Refused::Password,
                _ => Refused::Other,
            },
            // What the resolver says has no kind of its own.
            sqlx::Error::Io(error) if error.to_string().contains("lookup") => Refused::NoSuchHost,
            _ => Refused::Other,
        }
    }
}

/// What a database says, without the line in its own source that PostgreSQL adds.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
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
