//! Versions that are watched since they are new: what they fail, and taking them back.

use serde_json::json;
use sqlx::Pool;
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{
    HandlerId, InvocationId, Level, LogLine, Record, Source, Timestamp, UserId, VersionNumber,
};

use super::backend::{Backend, Columns, begin, read};
use super::handlers::{find_in, vanished};
use super::value::{parse, values, version};
use super::versions::{Pointers, fits_in, locked, write_pointers};
use super::{audit, records};
use crate::store::{Fits, NewAuditRow, Newness, StoreError, TakeBack, Tally, WatchedVersion};

// The conditions are those of the indices, word for word: SQLite finds an index by nothing else.
const PROMOTED: &str = "SELECT id, name, owner_id, live_version, previous_version, promoted_at FROM handlers
    WHERE auto_rollback AND deleted_at IS NULL AND promoted_at >= $1 AND previous_version < live_version";
const SPLIT: &str = "SELECT id, name, owner_id, split_version, live_version, split_at FROM handlers
    WHERE auto_rollback AND deleted_at IS NULL AND split_at IS NOT NULL AND split_at > 0";
const TALLY: &str = "SELECT count(*), COALESCE(CAST(sum(failed) AS BIGINT), 0) FROM
    (SELECT failed FROM invocations
        WHERE handler_id = $1 AND version = $2 AND started_at >= $3 AND failed IS NOT NULL
        ORDER BY started_at DESC LIMIT $4) newest";

fn watched_row(row: &impl Columns, newness: Newness) -> Result<WatchedVersion, StoreError> {
    Ok(WatchedVersion {
        handler: HandlerId(row.uuid(0)?),
        name: parse(&row.text(1)?)?,
        owner: UserId(row.uuid(2)?),
        newness,
        new: version(row.int(3)?)?,
        old: version(row.int(4)?)?,
        since: Timestamp(row.int(5)?),
    })
}

pub async fn list<B: Backend>(
    pool: &Pool<B>,
    promoted_since: Timestamp,
) -> Result<Vec<WatchedVersion>, StoreError> {
    let promoted = read(pool, PROMOTED, values![promoted_since]).await?;
    let split = read(pool, SPLIT, &[]).await?;
    let promoted = promoted.iter().map(|row| watched_row(row, Newness::Promoted));
    promoted.chain(split.iter().map(|row| watched_row(row, Newness::Split))).collect()
}

pub async fn tally<B: Backend>(
    pool: &Pool<B>,
    handler: HandlerId,
    version: VersionNumber,
    since: Timestamp,
    most: u32,
) -> Result<Tally, StoreError> {
    let rows = read(pool, TALLY, values![handler, version, since, i64::from(most)]).await?;
    let Some(row) = rows.first() else { return Ok(Tally::default()) };
    let count = |index| Ok::<_, StoreError>(u64::try_from(row.int(index)?).unwrap_or_default());
    Ok(Tally { requests: count(0)?, failed: count(1)? })
}

pub async fn take_back<B: Backend>(
    pool: &Pool<B>,
    watched: &WatchedVersion,
    why: &RolledBack,
    line: &str,
    fits: &Fits<'_>,
) -> Result<TakeBack, StoreError> {
    let mut transaction = begin(pool).await?;
    let Some(before) = locked::<B>(&mut transaction, watched.owner, &watched.name).await? else {
        return Ok(TakeBack::Overtaken);
    };
    let is_as_it_was = match watched.newness {
        Newness::Promoted => {
            (before.live, before.previous, before.promoted_at)
                == (watched.new, Some(watched.old), Some(watched.since))
        }
        Newness::Split => {
            (before.split.map(|split| split.version), before.live, before.split_at)
                == (Some(watched.new), watched.old, Some(watched.since))
        }
    };
    if before.id != watched.handler || !before.auto_rollback || !is_as_it_was {
        return Ok(TakeBack::Overtaken);
    }
    let pointers = Pointers::of(&before);
    let pointers = match watched.newness {
        Newness::Promoted => {
            if let Err(unfit) = fits_in::<B>(&mut transaction, &before, watched.old, fits).await? {
                return Ok(TakeBack::Refused(unfit));
            }
            pointers.with_live(watched.old, why.at)
        }
        Newness::Split => Pointers { split: None, ..pointers },
    };
    let pointers = Pointers { rolled_back: Some(why.clone()), ..pointers };
    write_pointers::<B>(&mut transaction, before.id, &pointers).await?;
    let row = find_in::<B>(&mut transaction, watched.owner, &watched.name).await?.ok_or_else(vanished)?;
    records::keep_in::<B>(&mut transaction, &[platform_line(before.id, why.at, line)]).await?;
    audit::insert_in::<B>(&mut transaction, &rollback_note(watched, why), Some(200)).await?;
    transaction.commit().await?;
    Ok(TakeBack::Done(Box::new(row)))
}

/// What the audit log says of it: in the same transaction, so that it is said once, and only if it was done.
fn rollback_note(watched: &WatchedVersion, why: &RolledBack) -> NewAuditRow {
    let detail = json!({ "from": why.from, "to": why.to, "reason": why.reason });
    NewAuditRow::by_server("handler.auto_rollback", watched.name.as_str(), Some(watched.owner), &detail)
}

/// A line that belongs to no invocation: it has an id of its own.
fn platform_line(handler: HandlerId, at: Timestamp, text: &str) -> Record {
    let invocation = InvocationId::new();
    let line = LogLine {
        invocation,
        seq: 0,
        at,
        level: Level::ERROR,
        source: Source::Platform,
        text: text.to_owned(),
    };
    Record { handler, invocation, lines: vec![line], receipt: None, recording: None }
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_of_the_watch_goes_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        for (sql, way) in [
            (PROMOTED, "handlers_watched (promoted_at>?)"),
            (SPLIT, "handlers_split (split_at>?)"),
            (TALLY, "COVERING INDEX invocations_by_version (handler_id=? AND version=? AND started_at>?)"),
        ] {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            assert!(
                steps.iter().any(|step| step.starts_with("SEARCH") && step.ends_with(way)),
                "{sql}: {steps:?}"
            );
        }
    }
}
