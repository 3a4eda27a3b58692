//! Dropping old records, in bites.

use sqlx::Pool;
use wasmcloud_wire::Timestamp;

use super::backend::{Backend, Columns as _, read, write};
use super::value::values;
use crate::store::StoreError;

/// How many rows one transaction drops: `record` waits no longer than that takes.
const ROWS_PER_BITE_MAX: i64 = 2_000;

/// The queries that prune one table. Each goes along an index and reads no more than it drops; only
/// `boundary` counts, and it is asked only when there may be too many rows.
pub(super) struct Table {
    /// Drops a bite of what is older than `$1`.
    pub(super) drop_old: &'static str,
    /// The first and the last position.
    pub(super) ends: &'static str,
    /// The newest position that is one too many.
    pub(super) boundary: &'static str,
    /// Drops a bite of what is at `$1` or before.
    pub(super) drop_to: &'static str,
    /// How many times as large as a receipt a row may be: there are so many times fewer.
    pub(super) larger: i64,
}

const TABLES: [Table; 3] = [
    Table {
        drop_old: "DELETE FROM log_lines WHERE position IN
            (SELECT position FROM log_lines WHERE at < $1 ORDER BY at LIMIT $2)",
        ends: "SELECT (SELECT min(position) FROM log_lines), (SELECT max(position) FROM log_lines)",
        boundary: "SELECT position FROM log_lines ORDER BY position DESC LIMIT 1 OFFSET $1",
        drop_to: "DELETE FROM log_lines WHERE position IN
            (SELECT position FROM log_lines WHERE position <= $1 ORDER BY position LIMIT $2)",
        larger: 1,
    },
    Table {
        drop_old: "DELETE FROM invocations WHERE position IN
            (SELECT position FROM invocations WHERE started_at < $1 ORDER BY started_at LIMIT $2)",
        ends: "SELECT (SELECT min(position) FROM invocations), (SELECT max(position) FROM invocations)",
        boundary: "SELECT position FROM invocations ORDER BY position DESC LIMIT 1 OFFSET $1",
        drop_to: "DELETE FROM invocations WHERE position IN
            (SELECT position FROM invocations WHERE position <= $1 ORDER BY position LIMIT $2)",
        larger: 1,
    },
    Table {
        drop_old: "DELETE FROM recordings WHERE position IN
            (SELECT position FROM recordings WHERE started_at < $1 ORDER BY started_at LIMIT $2)",
        ends: "SELECT (SELECT min(position) FROM recordings), (SELECT max(position) FROM recordings)",
        boundary: "SELECT position FROM recordings ORDER BY position DESC LIMIT 1 OFFSET $1",
        drop_to: "DELETE FROM recordings WHERE position IN
            (SELECT position FROM recordings WHERE position <= $1 ORDER BY position LIMIT $2)",
        larger: 100,
    },
];

pub async fn prune<B: Backend>(pool: &Pool<B>, before: Timestamp, rows_max: u64) -> Result<u64, StoreError> {
    let rows_max = i64::try_from(rows_max).unwrap_or(i64::MAX);
    let mut dropped = 0;
    for table in &TABLES {
        dropped += drop_old(pool, table, before).await? + drop_surplus(pool, table, rows_max).await?;
    }
    Ok(dropped)
}

/// Drops what is too old; how many rows went.
pub(super) async fn drop_old<B: Backend>(
    pool: &Pool<B>,
    table: &Table,
    before: Timestamp,
) -> Result<u64, StoreError> {
    in_bites(pool, table.drop_old, before.0).await
}

/// Drops the oldest of what is too much; how many rows went.
pub(super) async fn drop_surplus<B: Backend>(
    pool: &Pool<B>,
    table: &Table,
    rows_max: i64,
) -> Result<u64, StoreError> {
    match boundary(pool, table, rows_max / table.larger).await? {
        Some(boundary) => in_bites(pool, table.drop_to, boundary).await,
        None => Ok(0),
    }
}

pub(super) async fn in_bites<B: Backend>(
    pool: &Pool<B>,
    sql: &'static str,
    bound: i64,
) -> Result<u64, StoreError> {
    let mut dropped = 0;
    loop {
        let bite = write(pool, sql, values![bound, ROWS_PER_BITE_MAX]).await?;
        dropped += bite;
        if bite < ROWS_PER_BITE_MAX.unsigned_abs() {
            return Ok(dropped);
        }
    }
}

/// The newest position that has to go, if there are more than `rows_max` rows.
async fn boundary<B: Backend>(
    pool: &Pool<B>,
    table: &Table,
    rows_max: i64,
) -> Result<Option<i64>, StoreError> {
    let rows = read(pool, table.ends, &[]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (Some(first), Some(last)) = (row.maybe_int(0)?, row.maybe_int(1)?) else { return Ok(None) };
    // Positions have gaps, so there are no more rows than this; mostly it settles the question.
    if last - first < rows_max {
        return Ok(None);
    }
    let rows = read(pool, table.boundary, values![rows_max]).await?;
    rows.first().map(|row| row.int(0)).transpose()
}
