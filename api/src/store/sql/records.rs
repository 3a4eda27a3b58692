//! Receipts and log lines: kept in batches, read by handler.

use std::collections::HashSet;
use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, Pool};
use uuid::Uuid;
use wasmcloud_wire::{HandlerId, InvocationId, Level, LogLine, Receipt, Record, Timestamp};

use super::backend::{Backend, Columns, begin, read};
use super::value::{Value, parse, values};
use super::{charts, recordings};
use crate::store::{LogQuery, Positioned, Positions, StoreError, is_failure, program_failed};

/// How many rows one statement takes: 7 values each, where SQLite takes 32 766 and PostgreSQL 65 535.
pub(super) const ROWS_PER_STATEMENT_MAX: usize = 500;

pub async fn keep<B: Backend>(pool: &Pool<B>, batch: &[Record]) -> Result<(), StoreError> {
    if batch.is_empty() {
        return Ok(());
    }
    let mut transaction = begin(pool).await?;
    keep_in::<B>(&mut transaction, batch).await?;
    Ok(transaction.commit().await?)
}

/// The same, as a part of something larger.
pub(super) async fn keep_in<B: Backend>(
    connection: &mut B::Connection,
    batch: &[Record],
) -> Result<(), StoreError> {
    let receipts = receipt_texts(batch)?;
    if let Some(lock) = B::LOCK_RECORDS {
        B::execute(connection, lock, &[]).await?;
    }
    let known = known_handlers::<B>(connection, batch).await?;
    insert_lines::<B>(connection, batch, &known).await?;
    let new = insert_receipts::<B>(connection, &receipts, &known).await?;
    charts::add::<B>(connection, batch, new).await?;
    recordings::keep::<B>(connection, batch, &known).await
}

/// The handlers of a batch that are there: what belongs to others is passed over.
async fn known_handlers<B: Backend>(
    connection: &mut B::Connection,
    batch: &[Record],
) -> Result<HashSet<Uuid>, StoreError> {
    let asked: HashSet<Uuid> = batch.iter().map(|record| record.handler.0).collect();
    let asked: Vec<Value<'_>> = asked.into_iter().map(Value::from).collect();
    let mut known = HashSet::new();
    for chunk in asked.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut sql = "SELECT id FROM handlers WHERE deleted_at IS NULL AND id IN ".to_owned();
        push_tuples(&mut sql, 1, chunk.len());
        for row in B::rows(connection, AssertSqlSafe(sql), chunk).await? {
            known.insert(row.uuid(0)?);
        }
    }
    Ok(known)
}

async fn insert_lines<B: Backend>(
    connection: &mut B::Connection,
    batch: &[Record],
    known: &HashSet<Uuid>,
) -> Result<(), StoreError> {
    let records = batch.iter().filter(|record| known.contains(&record.handler.0));
    let lines: Vec<_> = records
        .flat_map(|record| record.lines.iter().map(move |line| (record, line, storable(&line.text))))
        .collect();
    for chunk in lines.chunks(ROWS_PER_STATEMENT_MAX) {
        let rows = chunk.iter().map(|(record, line, text)| {
            [
                Value::from(record.handler),
                Value::from(record.invocation),
                Value::from(i64::from(line.seq)),
                Value::from(line.at),
                Value::from(i64::from(line.level.0)),
                Value::from(line.source.as_str()),
                Value::from(text.as_ref()),
            ]
        });
        let into = "INSERT INTO log_lines (handler_id, invocation_id, seq, at, level, source, text) VALUES ";
        insert::<B, 7>(connection, into, rows).await?;
    }
    Ok(())
}

/// The answer is which of them were not there yet.
async fn insert_receipts<B: Backend>(
    connection: &mut B::Connection,
    receipts: &[(&Record, &Receipt, String)],
    known: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>, StoreError> {
    let mut new = HashSet::new();
    let receipts: Vec<_> = receipts.iter().filter(|(record, ..)| known.contains(&record.handler.0)).collect();
    for chunk in receipts.chunks(ROWS_PER_STATEMENT_MAX) {
        let rows = chunk.iter().map(|(record, receipt, json)| {
            [
                Value::from(record.invocation),
                Value::from(record.handler),
                Value::from(receipt.started_at),
                Value::from(json.as_str()),
                Value::from(receipt.version),
                Value::from(program_failed(receipt).map(i64::from)),
                Value::from(is_failure(receipt) == Some(true)),
            ]
        });
        let into = "INSERT INTO invocations
            (id, handler_id, started_at, receipt, version, failed, is_failure) VALUES ";
        let values: Vec<Value<'_>> = rows.flatten().collect();
        let mut sql = insertion::<7>(into, &values);
        sql.push_str(" RETURNING id");
        for row in B::rows(connection, AssertSqlSafe(sql), &values).await? {
            new.insert(row.uuid(0)?);
        }
    }
    Ok(new)
}

/// Inserts rows, passing over those that are there already.
async fn insert<'a, B: Backend, const COLUMNS: usize>(
    connection: &mut B::Connection,
    into: &str,
    rows: impl Iterator<Item = [Value<'a>; COLUMNS]>,
) -> Result<(), StoreError> {
    let values: Vec<Value<'a>> = rows.flatten().collect();
    let sql = insertion::<COLUMNS>(into, &values);
    B::execute(connection, AssertSqlSafe(sql), &values).await.map(|_| ())
}

/// A statement that passes over rows that are there already: made of constants and numbers only.
fn insertion<const COLUMNS: usize>(into: &str, values: &[Value<'_>]) -> String {
    let mut sql = into.to_owned();
    push_rows(&mut sql, COLUMNS, values.len() / COLUMNS);
    sql.push_str(" ON CONFLICT DO NOTHING");
    sql
}

/// Appends `($1, $2), ($3, $4)`: placeholders for so many rows.
pub(super) fn push_rows(sql: &mut String, columns: usize, rows: usize) {
    for row in 0..rows {
        if row > 0 {
            sql.push_str(", ");
        }
        push_tuples(sql, row * columns + 1, columns);
    }
}

/// Appends `($3, $4, $5)`: `count` placeholders from `first` on.
pub(super) fn push_tuples(sql: &mut String, first: usize, count: usize) {
    for place in 0..count {
        let before = if place == 0 { '(' } else { ',' };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{before}${}", first + place);
    }
    sql.push(')');
}

/// PostgreSQL's texts cannot hold a NUL. A line has none by its contract, but one that had should not
/// take a whole batch with it.
fn storable(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

fn receipt_texts(batch: &[Record]) -> Result<Vec<(&Record, &Receipt, String)>, StoreError> {
    let with_receipt =
        batch.iter().filter_map(|record| record.receipt.as_ref().map(|receipt| (record, receipt)));
    let text = |receipt: &Receipt| {
        serde_json::to_string(receipt).map_err(|error| StoreError::Corrupt(format!("receipt: {error}")))
    };
    with_receipt.map(|(record, receipt)| Ok((record, receipt, text(receipt)?))).collect()
}

/// Log lines; the columns in the order of [`log_line`].
macro_rules! select_lines {
    ($which:literal) => {
        concat!(
            "SELECT position, invocation_id, seq, at, level, source, text FROM log_lines WHERE ",
            $which,
            " LIMIT $3"
        )
    };
}

/// Receipts; the columns in the order of [`receipt`].
macro_rules! select_receipts {
    ($which:literal) => {
        concat!("SELECT position, receipt FROM invocations WHERE ", $which, " LIMIT $3")
    };
}

// Of one invocation or of all; from the newest back, or onwards from a position: each is a text of
// its own, so that each finds its index. `IS TRUE` keeps the other conditions from being taken for an
// index: SQLite, which knows nothing of how many rows there are, would rather read all of a handler.
const LINES: &str = select_lines!("handler_id = $1 AND at >= $2 ORDER BY at DESC, position DESC");
const LINES_AFTER: &str =
    select_lines!("handler_id = $1 AND (at >= $2) IS TRUE AND position > $4 ORDER BY position");
const LINES_OF_ONE: &str =
    select_lines!("invocation_id = $4 AND (handler_id = $1 AND at >= $2) IS TRUE ORDER BY seq DESC");
const LINES_OF_ONE_AFTER: &str = select_lines!(
    "invocation_id = $4 AND (handler_id = $1 AND at >= $2 AND position > $5) IS TRUE ORDER BY position"
);
const RECEIPTS: &str =
    select_receipts!("handler_id = $1 AND started_at >= $2 ORDER BY started_at DESC, position DESC");
const RECEIPTS_AFTER: &str =
    select_receipts!("handler_id = $1 AND (started_at >= $2) IS TRUE AND position > $4 ORDER BY position");
const RECEIPTS_BACK: &str = select_receipts!(
    "handler_id = $1 AND (started_at >= $2) IS TRUE AND position < $4 ORDER BY position DESC"
);
const RECEIPT_OF_ONE: &str =
    select_receipts!("id = $4 AND (handler_id = $1 AND started_at >= $2 AND position > $5) IS TRUE");

pub async fn log_lines<B: Backend>(
    pool: &Pool<B>,
    handler: HandlerId,
    query: &LogQuery,
) -> Result<Vec<Positioned<LogLine>>, StoreError> {
    let limit = i64::from(query.limit);
    let since = query.since.unwrap_or(Timestamp(i64::MIN));
    let rows = match (query.invocation, query.after) {
        (None, None) => read(pool, LINES, values![handler, since, limit]).await?,
        (None, Some(after)) => read(pool, LINES_AFTER, values![handler, since, limit, after]).await?,
        (Some(one), None) => read(pool, LINES_OF_ONE, values![handler, since, limit, one]).await?,
        (Some(one), Some(after)) => {
            read(pool, LINES_OF_ONE_AFTER, values![handler, since, limit, one, after]).await?
        }
    };
    let mut lines = rows.iter().map(log_line).collect::<Result<Vec<_>, _>>()?;
    lines.sort_by_key(|line| line.position);
    Ok(lines)
}

pub async fn receipts<B: Backend>(
    pool: &Pool<B>,
    handler: HandlerId,
    query: &LogQuery,
) -> Result<Vec<Positioned<Receipt>>, StoreError> {
    let limit = i64::from(query.limit);
    let since = query.since.unwrap_or(Timestamp(i64::MIN));
    let rows = match (query.invocation, query.after) {
        (None, None) => read(pool, RECEIPTS, values![handler, since, limit]).await?,
        (None, Some(after)) => read(pool, RECEIPTS_AFTER, values![handler, since, limit, after]).await?,
        (Some(one), after) => {
            let after = after.unwrap_or(0);
            read(pool, RECEIPT_OF_ONE, values![handler, since, limit, one, after]).await?
        }
    };
    rows.iter().map(receipt).collect()
}

pub async fn receipts_back<B: Backend>(
    pool: &Pool<B>,
    handler: HandlerId,
    since: Timestamp,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Positioned<Receipt>>, StoreError> {
    let values = values![handler, since, i64::from(limit), before.unwrap_or(i64::MAX)];
    read(pool, RECEIPTS_BACK, values).await?.iter().map(receipt).collect()
}

pub async fn last_positions<B: Backend>(pool: &Pool<B>) -> Result<Positions, StoreError> {
    let sql = "SELECT (SELECT max(position) FROM log_lines), (SELECT max(position) FROM invocations)";
    let rows = read(pool, sql, &[]).await?;
    let last = |index| {
        rows.first().map(|row| row.maybe_int(index)).transpose().map(|last| last.flatten().unwrap_or(0))
    };
    Ok(Positions { line: last(0)?, receipt: last(1)? })
}

pub(super) fn log_line(row: &impl Columns) -> Result<Positioned<LogLine>, StoreError> {
    let (seq, level) = (row.int(2)?, row.int(4)?);
    let corrupt = |what: &str, value: i64| StoreError::Corrupt(format!("log line's {what} {value}"));
    let line = LogLine {
        invocation: InvocationId(row.uuid(1)?),
        seq: u32::try_from(seq).map_err(|_| corrupt("seq", seq))?,
        at: Timestamp(row.int(3)?),
        level: Level(i32::try_from(level).map_err(|_| corrupt("level", level))?),
        source: parse(&row.text(5)?)?,
        text: row.text(6)?,
    };
    Ok(Positioned { position: row.int(0)?, record: line })
}

pub(super) fn receipt(row: &impl Columns) -> Result<Positioned<Receipt>, StoreError> {
    let text = row.text(1)?;
    let receipt =
        serde_json::from_str(&text).map_err(|error| StoreError::Corrupt(format!("receipt: {error}")))?;
    Ok(Positioned { position: row.int(0)?, record: receipt })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_goes_along_an_index_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        for (sql, way) in [
            (LINES, "log_lines_by_time (handler_id=? AND at>?)"),
            (LINES_AFTER, "log_lines_by_position (handler_id=? AND position>?)"),
            (LINES_OF_ONE, "(invocation_id=?)"),
            (LINES_OF_ONE_AFTER, "(invocation_id=?)"),
            (RECEIPTS, "invocations_by_time (handler_id=? AND started_at>?)"),
            (RECEIPTS_AFTER, "invocations_by_position (handler_id=? AND position>?)"),
            (RECEIPTS_BACK, "invocations_by_position (handler_id=? AND position<?)"),
            (RECEIPT_OF_ONE, "(id=?)"),
        ] {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            assert!(steps[0].starts_with("SEARCH") && steps[0].ends_with(way), "{sql}: {steps:?}");
        }
    }
}
