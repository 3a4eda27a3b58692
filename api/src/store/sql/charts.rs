//! How handlers did over time: sums for each minute.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use wasmcloud_wire::{HandlerId, Receipt, Record};

use super::SqlStore;
use super::backend::{Backend, Columns, read};
use super::prune::in_bites;
use super::records::{ROWS_PER_STATEMENT_MAX, push_rows, push_tuples};
use super::value::{Value, values};
use crate::store::charts::{is_charted, minute};
use crate::store::{ChartStore, StepCounts, StepSums, StepWalls, StoreError, Window, wall_bin};

const MINUTES: &str = "INSERT INTO chart_minutes
    (handler_id, minute, invocations, failures, gas, cpu_us, memory_peak_bytes) VALUES ";
// A sum of more than 2^49 grows no more: a week of such minutes is the most that the database can add up.
const MINUTES_ADDED: &str = " ON CONFLICT (handler_id, minute) DO UPDATE SET
    invocations = chart_minutes.invocations + excluded.invocations,
    failures = chart_minutes.failures + excluded.failures,
    gas = CASE WHEN chart_minutes.gas > 562949953421312 THEN chart_minutes.gas
        ELSE chart_minutes.gas + excluded.gas END,
    cpu_us = CASE WHEN chart_minutes.cpu_us > 562949953421312 THEN chart_minutes.cpu_us
        ELSE chart_minutes.cpu_us + excluded.cpu_us END,
    memory_peak_bytes = CASE WHEN chart_minutes.memory_peak_bytes > excluded.memory_peak_bytes
        THEN chart_minutes.memory_peak_bytes ELSE excluded.memory_peak_bytes END";
const WALLS: &str = "INSERT INTO chart_walls (handler_id, minute, bin, count) VALUES ";
const WALLS_ADDED: &str = " ON CONFLICT (handler_id, minute, bin) DO UPDATE SET
    count = chart_walls.count + excluded.count";

const SUMS: &str =
    "SELECT (minute - $2) / $4, CAST(sum(invocations) AS BIGINT), CAST(sum(failures) AS BIGINT),
        CAST(sum(gas) AS BIGINT), CAST(sum(cpu_us) AS BIGINT), max(memory_peak_bytes)
    FROM chart_minutes WHERE handler_id = $1 AND minute >= $2 AND minute < $3 GROUP BY 1 ORDER BY 1";
const WALLS_OF: &str = "SELECT (minute - $2) / $4, bin, CAST(sum(count) AS BIGINT)
    FROM chart_walls WHERE handler_id = $1 AND minute >= $2 AND minute < $3 GROUP BY 1, 2 ORDER BY 1, 2";
/// The handlers follow, from `$4` on.
const COUNTS: &str = "SELECT handler_id, (minute - $1) / $3, CAST(sum(invocations) AS BIGINT),
        CAST(sum(failures) AS BIGINT)
    FROM chart_minutes WHERE minute >= $1 AND minute < $2 AND handler_id IN ";

const OLD_MINUTES: &str = "DELETE FROM chart_minutes WHERE (handler_id, minute) IN
    (SELECT handler_id, minute FROM chart_minutes WHERE minute < $1 ORDER BY minute LIMIT $2)";
const OLD_WALLS: &str = "DELETE FROM chart_walls WHERE (handler_id, minute, bin) IN
    (SELECT handler_id, minute, bin FROM chart_walls WHERE minute < $1 ORDER BY minute LIMIT $2)";

/// Adds the receipts of a batch that are `new`: one statement for the sums, one for the wall times, unless there are
/// very many. Sorted, so that nobody waits for anybody in another order.
pub(super) async fn add<B: Backend>(
    connection: &mut B::Connection,
    batch: &[Record],
    mut new: HashSet<Uuid>,
) -> Result<(), StoreError> {
    let (mut sums, mut walls) = (BTreeMap::<_, StepSums>::new(), BTreeMap::<_, i64>::new());
    for record in batch {
        let Some(receipt) = record.receipt.as_ref().filter(|receipt| is_charted(receipt)) else { continue };
        // A batch may tell of one invocation twice.
        if new.remove(&record.invocation.0) {
            sums.entry((record.handler.0, minute(receipt))).or_default().add(receipt);
            *walls.entry(wall_key(record, receipt)).or_default() += 1;
        }
    }
    let sums = sums.iter().map(|(&(handler, minute), sums)| {
        [
            Value::from(handler),
            Value::from(minute),
            Value::from(stored(sums.invocations)),
            Value::from(stored(sums.failures)),
            Value::from(stored(sums.gas)),
            Value::from(stored(sums.cpu_us)),
            Value::from(stored(sums.memory_peak_bytes)),
        ]
    });
    upsert::<B, 7>(connection, MINUTES, sums.collect(), MINUTES_ADDED).await?;
    let walls = walls.iter().map(|(&(handler, minute, bin), &count)| {
        [Value::from(handler), Value::from(minute), Value::from(bin), Value::from(count)]
    });
    upsert::<B, 4>(connection, WALLS, walls.collect(), WALLS_ADDED).await
}

fn wall_key(record: &Record, receipt: &Receipt) -> (Uuid, i64, i64) {
    (record.handler.0, minute(receipt), i64::from(wall_bin(receipt.wall_us)))
}

fn stored(sum: u64) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}

async fn upsert<B: Backend, const COLUMNS: usize>(
    connection: &mut B::Connection,
    into: &str,
    rows: Vec<[Value<'_>; COLUMNS]>,
    added: &str,
) -> Result<(), StoreError> {
    for chunk in rows.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut sql = into.to_owned();
        push_rows(&mut sql, COLUMNS, chunk.len());
        sql.push_str(added);
        // Made of constants and numbers only.
        B::execute(connection, AssertSqlSafe(sql), chunk.as_flattened()).await?;
    }
    Ok(())
}

fn until(window: Window) -> i64 {
    window.from_minute + i64::from(window.step_minutes) * i64::from(window.steps)
}

fn step(row: &impl Columns, index: usize) -> Result<usize, StoreError> {
    let step = row.int(index)?;
    usize::try_from(step).map_err(|_| StoreError::Corrupt(format!("a chart's step {step}")))
}

fn count(row: &impl Columns, index: usize) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.int(index)?).unwrap_or_default())
}

#[async_trait]
impl<B: Backend> ChartStore for SqlStore<B> {
    async fn chart_sums(&self, handler: HandlerId, window: Window) -> Result<Vec<StepSums>, StoreError> {
        let step_minutes = i64::from(window.step_minutes);
        let values = values![handler, window.from_minute, until(window), step_minutes];
        let rows = read(&self.read, SUMS, values).await?;
        let sums = |row: &B::Row| {
            Ok(StepSums {
                step: step(row, 0)?,
                invocations: count(row, 1)?,
                failures: count(row, 2)?,
                gas: count(row, 3)?,
                cpu_us: count(row, 4)?,
                memory_peak_bytes: count(row, 5)?,
            })
        };
        rows.iter().map(sums).collect()
    }

    async fn chart_walls(&self, handler: HandlerId, window: Window) -> Result<Vec<StepWalls>, StoreError> {
        let step_minutes = i64::from(window.step_minutes);
        let values = values![handler, window.from_minute, until(window), step_minutes];
        let rows = read(&self.read, WALLS_OF, values).await?;
        let walls = |row: &B::Row| {
            let bin = row.int(1)?;
            let bin = u32::try_from(bin).map_err(|_| StoreError::Corrupt(format!("a chart's bin {bin}")))?;
            Ok(StepWalls { step: step(row, 0)?, bin, count: count(row, 2)? })
        };
        rows.iter().map(walls).collect()
    }

    async fn chart_counts(
        &self,
        handlers: &[HandlerId],
        window: Window,
    ) -> Result<Vec<StepCounts>, StoreError> {
        let mut counts = Vec::new();
        let mut connection = self.read.acquire().await?;
        for chunk in handlers.chunks(ROWS_PER_STATEMENT_MAX) {
            let step_minutes = i64::from(window.step_minutes);
            let mut values = values![window.from_minute, until(window), step_minutes].to_vec();
            values.extend(chunk.iter().map(|handler| Value::from(*handler)));
            let mut sql = COUNTS.to_owned();
            push_tuples(&mut sql, 4, chunk.len());
            sql.push_str(" GROUP BY 1, 2");
            for row in B::rows(&mut connection, AssertSqlSafe(sql), &values).await? {
                counts.push(StepCounts {
                    handler: HandlerId(row.uuid(0)?),
                    step: step(&row, 1)?,
                    invocations: count(&row, 2)?,
                    failures: count(&row, 3)?,
                });
            }
        }
        Ok(counts)
    }

    async fn prune_charts(&self, before_minute: i64) -> Result<u64, StoreError> {
        let minutes = in_bites(&self.write, OLD_MINUTES, before_minute).await?;
        Ok(minutes + in_bites(&self.write, OLD_WALLS, before_minute).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_of_charts_goes_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        let counts = format!("{COUNTS}($4,$5) GROUP BY 1, 2");
        for (sql, way) in [
            (SUMS, "(handler_id=? AND minute>? AND minute<?)"),
            (WALLS_OF, "(handler_id=? AND minute>? AND minute<?)"),
            (&counts, "(handler_id=? AND minute>? AND minute<?)"),
            (OLD_MINUTES, "chart_minutes_by_age (minute<?)"),
            (OLD_WALLS, "chart_walls_by_age (minute<?)"),
        ] {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            assert!(steps.iter().any(|step| step.ends_with(way)), "{sql}: {steps:?}");
            assert!(steps.iter().all(|step| !step.starts_with("SCAN ")), "{sql}: {steps:?}");
        }
    }
}
