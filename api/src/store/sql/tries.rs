//! Tries that are limited whichever process they come to.

use async_trait::async_trait;
use wasmcloud_wire::Timestamp;

use super::SqlStore;
use super::backend::{Backend, Columns as _, read, write};
use super::prune::in_bites;
use super::value::values;
use crate::store::{StoreError, TryStore, TryWindow};

const COUNT: &str = "INSERT INTO tries (key, window_s, window_no, count) VALUES ($1, $2, $3, 1)
    ON CONFLICT (key, window_s, window_no) DO UPDATE SET count = tries.count + 1 RETURNING count";
const FORGIVE: &str = "UPDATE tries SET count = CASE WHEN key = $1 THEN 0 ELSE count - 1 END
    WHERE key IN ($1, $2) AND window_s = $3 AND window_no = $4 AND count > 0";
const SWEEP: &str = "DELETE FROM tries WHERE (key, window_s, window_no) IN
    (SELECT key, window_s, window_no FROM tries WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

#[async_trait]
impl<B: Backend> TryStore for SqlStore<B> {
    async fn count_try(&self, key: &str, window: TryWindow) -> Result<u32, StoreError> {
        let values = values![key, i64::from(window.length_s), window.number];
        // A statement that writes, and answers.
        let rows = read(&self.write, COUNT, values).await?;
        let row = rows.first().ok_or_else(|| StoreError::Corrupt("a try without a count".to_owned()))?;
        Ok(u32::try_from(row.int(0)?).unwrap_or(u32::MAX))
    }

    async fn forgive_tries(&self, all_of: &str, one_of: &str, window: TryWindow) -> Result<(), StoreError> {
        let values = values![all_of, one_of, i64::from(window.length_s), window.number];
        write(&self.write, FORGIVE, values).await.map(|_| ())
    }

    async fn sweep_tries(&self, before: Timestamp) -> Result<u64, StoreError> {
        in_bites(&self.write, SWEEP, before.0).await
    }
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::SqliteStore;

    #[tokio::test]
    async fn every_query_of_tries_goes_along_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("wasmcloud.db")).await.unwrap();
        for (sql, way) in
            [(FORGIVE, "(key=? AND window_s=? AND window_no=?)"), (SWEEP, "tries_by_age (created_at<?)")]
        {
            let mut connection = store.read.acquire().await.unwrap();
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::Sqlite::rows(&mut connection, explain, &[]).await.unwrap();
            let steps: Vec<_> = plan.iter().map(|row| row.text(3).unwrap()).collect();
            assert!(steps.iter().any(|step| step.ends_with(way)), "{sql}: {steps:?}");
        }
    }
}
