//! What differs between SQLite and PostgreSQL, so that everything else is written once.
//!
//! Queries are constant texts that both understand, with `$1` placeholders; their values go in as
//! [`Value`]s and come out through [`Columns`].

use std::io;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Database, Pool, Postgres, Row, SqlSafeStr, Sqlite, Transaction};
use uuid::Uuid;

use super::value::Value;
use crate::store::StoreError;
use crate::store::changes::ChangeWatch;

/// Statements with more values than this are batches, made at run time in many lengths: not worth a
/// place among a connection's prepared statements.
const PREPARED_VALUES_MAX: usize = 16;
/// How long PostgreSQL may take for one statement. One that is cut off in the middle of it would
/// otherwise be waited for as long as TCP tries.
const POSTGRES_STATEMENT_MAX: Duration = Duration::from_secs(10);

/// A database that the store runs on.
pub trait Backend: Database<Row: Columns> {
    /// Begins a transaction that is going to write.
    ///
    /// In SQLite it takes the write lock at once: one that reads first and writes later may find
    /// that somebody else wrote in between, and no busy timeout helps it then.
    const BEGIN_WRITE: &'static str;

    /// Held by every transaction that adds records until it ends, where several may run at once.
    ///
    /// A sequence gives out positions before the commit. Without the lock a follower could see
    /// position 8, go on from there, and never see 7, which was committed later.
    const LOCK_RECORDS: Option<&'static str>;

    /// How long one statement may take, where the database is not in this process.
    const STATEMENT_MAX: Option<Duration>;

    /// Says when other processes may have changed something.
    fn watch(pool: &Pool<Self>) -> ChangeWatch;

    /// Begins a transaction that reads everything as it was at its first statement.
    const BEGIN_SNAPSHOT: &'static str;

    /// Held by a transaction that nobody may add a user besides, where several may write at once.
    const LOCK_USERS: Option<&'static str>;

    /// Held by every transaction that claims something until it ends, where several may run at once: each has to
    /// see the claims of those before it.
    const LOCK_CLAIMS: Option<&'static str>;

    /// Held by every transaction that changes which plans there are until it ends, where several may run at once.
    const LOCK_PLANS: Option<&'static str>;

    /// The column `text` with its ASCII letters in lower case, as far as `LIKE` does not pass over case itself.
    const FOLDED_TEXT: &'static str;

    /// Runs a statement; how many rows it touched.
    fn execute(
        connection: &mut Self::Connection,
        sql: impl SqlSafeStr + Send,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Runs a statement to its end; the rows that it gave.
    fn rows(
        connection: &mut Self::Connection,
        sql: impl SqlSafeStr + Send,
        values: &[Value<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}

/// A row's columns, by their place. Another type than the schema's is `StoreError::Corrupt`.
pub trait Columns: Send {
    /// A whole number.
    fn int(&self, index: usize) -> Result<i64, StoreError>;
    /// A whole number or nothing.
    fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError>;
    /// A text.
    fn text(&self, index: usize) -> Result<String, StoreError>;
    /// A text or nothing.
    fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError>;
    /// An id.
    fn uuid(&self, index: usize) -> Result<Uuid, StoreError>;
    /// An id or nothing.
    fn maybe_uuid(&self, index: usize) -> Result<Option<Uuid>, StoreError>;
    /// Yes or no.
    fn flag(&self, index: usize) -> Result<bool, StoreError>;
    /// Bytes.
    fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError>;
}

/// A query with its values.
macro_rules! bind {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql).persistent($values.len() <= PREPARED_VALUES_MAX);
        for value in $values {
            query = match *value {
                Value::Int(value) => query.bind(value),
                Value::MaybeInt(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::MaybeText(value) => query.bind(value),
                Value::Uuid(value) => query.bind(value),
                Value::MaybeUuid(value) => query.bind(value),
                Value::Flag(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
macro_rules! backend {
    (
        $database:ty, $row:ty, begin: $begin:expr, lock: $lock:expr, snapshot: $snapshot:expr, users: $users:expr,
        claims: $claims:expr, plans: $plans:expr,
        folded: $folded:expr, statement_max: $statement_max:expr, watch: $watch:expr $(,)?
    ) => {
        impl Backend for $database {
            const BEGIN_WRITE: &'static str = $begin;
            const LOCK_RECORDS: Option<&'static str> = $lock;
            const BEGIN_SNAPSHOT: &'static str = $snapshot;
            const LOCK_USERS: Option<&'static str> = $users;
            const LOCK_CLAIMS: Option<&'static str> = $claims;
            const LOCK_PLANS: Option<&'static str> = $plans;
            const STATEMENT_MAX: Option<Duration> = $statement_max;
            const FOLDED_TEXT: &'static str = $folded;

            fn watch(pool: &Pool<Self>) -> ChangeWatch {
                $watch(pool)
            }

            async fn execute(
                connection: &mut Self::Connection,
                sql: impl SqlSafeStr + Send,
                values: &[Value<'_>],
            ) -> Result<u64, StoreError> {
                Ok(in_time::<Self, _>(bind!(sql, values).execute(connection)).await?.rows_affected())
            }

            async fn rows(
                connection: &mut Self::Connection,
                sql: impl SqlSafeStr + Send,
                values: &[Value<'_>],
            ) -> Result<Vec<Self::Row>, StoreError> {
                in_time::<Self, _>(bind!(sql, values).fetch_all(connection)).await
            }
        }

        impl Columns for $row {
            fn int(&self, index: usize) -> Result<i64, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn maybe_int(&self, index: usize) -> Result<Option<i64>, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn text(&self, index: usize) -> Result<String, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn maybe_text(&self, index: usize) -> Result<Option<String>, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn uuid(&self, index: usize) -> Result<Uuid, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn maybe_uuid(&self, index: usize) -> Result<Option<Uuid>, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn flag(&self, index: usize) -> Result<bool, StoreError> {
                Ok(self.try_get(index)?)
            }

            fn bytes(&self, index: usize) -> Result<Vec<u8>, StoreError> {
                Ok(self.try_get(index)?)
            }
        }
    };
}

backend!(
    Sqlite,
    SqliteRow,
    begin: "BEGIN IMMEDIATE",
    lock: None,
    snapshot: "BEGIN",
    users: None,
    claims: None,
    plans: None,
    folded: "text",
    statement_max: None,
    watch: |_| ChangeWatch::of_one_process(),
);
backend!(
    Postgres,
    PgRow,
    // A process that stops in the middle of a transaction must not keep the locks that others wait for. It is said
    // in each transaction: what is said to a session, a pooler may give to somebody else.
    begin: "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '60s'",
    // The number is this program's own; any that nobody else uses in this database would do.
    lock: Some("SELECT pg_advisory_xact_lock(7730265)"),
    snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    users: Some("LOCK TABLE users IN EXCLUSIVE MODE"),
    claims: Some("SELECT pg_advisory_xact_lock(7730267)"),
    plans: Some("SELECT pg_advisory_xact_lock(7730268)"),
    folded: "lower(text COLLATE \"C\")",
    statement_max: Some(POSTGRES_STATEMENT_MAX),
    watch: super::changes::watch,
);

/// Waits for the database, but not for ever.
async fn in_time<B: Backend, T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let Some(max) = B::STATEMENT_MAX else { return Ok(statement.await?) };
    match tokio::time::timeout(max, statement).await {
        Ok(result) => Ok(result?),
        Err(_) => {
            let text = format!("no answer within {} s", max.as_secs());
            Err(StoreError::Unavailable(io::Error::new(io::ErrorKind::TimedOut, text).into()))
        }
    }
}

/// Begins a transaction that is going to write. Dropped without a commit, it is rolled back.
pub async fn begin<B: Backend>(pool: &Pool<B>) -> Result<Transaction<'static, B>, StoreError> {
    in_time::<B, _>(pool.begin_with(B::BEGIN_WRITE)).await
}

/// One query outside of any transaction.
pub async fn read<B: Backend>(
    pool: &Pool<B>,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<Vec<B::Row>, StoreError> {
    let mut connection = pool.acquire().await?;
    B::rows(&mut connection, sql, values).await
}

/// One statement that is a transaction of its own; how many rows it touched.
pub async fn write<B: Backend>(
    pool: &Pool<B>,
    sql: &'static str,
    values: &[Value<'_>],
) -> Result<u64, StoreError> {
    let mut connection = pool.acquire().await?;
    B::execute(&mut connection, sql, values).await
}
