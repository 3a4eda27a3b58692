//! Looking for log lines and receipts. However many there are, no search looks at more than it says.

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use wasmcloud_wire::{HandlerId, Receipt, Timestamp};

use super::SqlStore;
use super::backend::{Backend, Columns as _, read};
use super::records::{log_line, receipt};
use super::value::{Value, values};
use crate::store::{FoundLines, LineSearch, Positioned, ReceiptSearch, SearchStore, StoreError};

/// How many lines one search looks at. Who wants to look further asks again, from where it ended.
const LINES_LOOKED_AT_MAX: i64 = 50_000;

/// The lines that are looked at, newest first; `$5` is how many.
const LINES: &str = "handler_id = $1 AND at >= $2 AND at < $4 ORDER BY at DESC, position DESC LIMIT $5";
/// Those of the invocation `$8`. `IS TRUE` leaves one index to choose.
const LINES_OF_ONE: &str = "invocation_id = $8 AND (handler_id = $1 AND at >= $2 AND at < $4) IS TRUE
    ORDER BY seq DESC LIMIT $5";
/// The newest line that was not looked at.
const BEYOND: &str = "SELECT at FROM log_lines WHERE handler_id = $1 AND at >= $2 AND at < $3
    ORDER BY at DESC, position DESC LIMIT 1 OFFSET $4";

/// When an invocation began, and its place.
const PLACE: &str =
    "SELECT started_at, position FROM invocations WHERE id = $1 AND (handler_id = $2) IS TRUE";
const RECEIPTS: &str = "SELECT position, receipt FROM invocations
    WHERE handler_id = $1 AND started_at >= $2 AND (started_at, position) < ($4, $5)
    ORDER BY started_at DESC, position DESC LIMIT $3";
// The condition is that of the index, word for word: SQLite finds an index by nothing else.
const FAILURES: &str = "SELECT position, receipt FROM invocations
    WHERE is_failure AND handler_id = $1 AND started_at >= $2 AND (started_at, position) < ($4, $5)
    ORDER BY started_at DESC, position DESC LIMIT $3";

/// A search in those lines: the newest `$3` that are at least as severe as `$6` and like `$7`.
fn line_search<B: Backend>(lines: &str) -> String {
    let folded = B::FOLDED_TEXT;
    format!(
        "SELECT position, invocation_id, seq, at, level, source, text FROM
            (SELECT position, invocation_id, seq, at, level, source, text FROM log_lines WHERE {lines}) newest
        WHERE level <= $6 AND {folded} LIKE $7 ESCAPE '\\' ORDER BY at DESC, position DESC LIMIT $3"
    )
}

/// The pattern of whatever contains this text; ASCII letters in lower case, like what it is compared with.
fn pattern(text: Option<&str>) -> String {
    let mut pattern = "%".to_owned();
    for sign in text.unwrap_or_default().chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

#[async_trait]
impl<B: Backend> SearchStore for SqlStore<B> {
    async fn search_lines(&self, handler: HandlerId, search: &LineSearch) -> Result<FoundLines, StoreError> {
        let since = search.since.unwrap_or(Timestamp(i64::MIN));
        let until = search.until.unwrap_or(Timestamp(i64::MAX));
        let pattern = pattern(search.filter.text.as_deref());
        let level = search.filter.level.map_or(i64::MAX, |level| i64::from(level.0));
        let mut values = values![
            handler,
            since,
            i64::from(search.limit),
            until,
            LINES_LOOKED_AT_MAX,
            level,
            pattern.as_str()
        ]
        .to_vec();
        let sql = match search.invocation {
            None => line_search::<B>(LINES),
            Some(invocation) => {
                values.push(Value::from(invocation));
                line_search::<B>(LINES_OF_ONE)
            }
        };
        // Made of constants only.
        let mut connection = self.read.acquire().await?;
        let rows = B::rows(&mut connection, AssertSqlSafe(sql), &values).await?;
        drop(connection);
        let mut lines = rows.iter().map(log_line).collect::<Result<Vec<_>, _>>()?;
        lines.sort_by_key(|line| line.position);
        let mut more_before = None;
        if search.invocation.is_none() && lines.len() < search.limit as usize {
            let values = values![handler, since, until, LINES_LOOKED_AT_MAX];
            let beyond = read(&self.read, BEYOND, values).await?;
            // The first that was not looked at may share its millisecond with the last that was.
            more_before =
                beyond.first().map(|row| Ok::<_, StoreError>(row.int(0)?.saturating_add(1))).transpose()?;
        }
        Ok(FoundLines { lines, more_before: more_before.map(Timestamp) })
    }

    async fn search_receipts(
        &self,
        handler: HandlerId,
        search: &ReceiptSearch,
    ) -> Result<Option<Vec<Positioned<Receipt>>>, StoreError> {
        let (mut started_at, mut position) = (i64::MAX, i64::MAX);
        if let Some(before) = search.before {
            let rows = read(&self.read, PLACE, values![before, handler]).await?;
            let Some(row) = rows.first() else { return Ok(None) };
            (started_at, position) = (row.int(0)?, row.int(1)?);
        }
        let since = search.since.unwrap_or(Timestamp(i64::MIN));
        let sql = if search.failed { FAILURES } else { RECEIPTS };
        let values = values![handler, since, i64::from(search.limit), started_at, position];
        read(&self.read, sql, values).await?.iter().map(receipt).collect::<Result<_, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Sqlite;

    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_of_a_search_goes_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        for (sql, way) in [
            (line_search::<Sqlite>(LINES), "log_lines_by_time (handler_id=? AND at>? AND at<?)"),
            (line_search::<Sqlite>(LINES_OF_ONE), "(invocation_id=?)"),
            (BEYOND.to_owned(), "log_lines_by_time (handler_id=? AND at>? AND at<?)"),
            (PLACE.to_owned(), "(id=?)"),
            (RECEIPTS.to_owned(), "invocations_by_time (handler_id=? AND started_at>? AND started_at<?)"),
            (FAILURES.to_owned(), "invocations_failed (handler_id=? AND started_at>? AND started_at<?)"),
        ] {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            let found = steps.iter().any(|step| step.starts_with("SEARCH") && step.ends_with(way));
            assert!(found, "{sql}: {steps:?}");
            assert!(!steps.iter().any(|step| step.starts_with("SCAN log") || step.starts_with("SCAN inv")));
        }
    }

    #[test]
    fn what_is_special_in_a_pattern_stands_for_itself() {
        assert_eq!(pattern(None), "%%");
        assert_eq!(pattern(Some("50% of A_B\\Ä")), "%50\\% of a\\_b\\\\Ä%");
    }
}
