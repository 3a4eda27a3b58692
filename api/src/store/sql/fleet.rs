//! The executors that are there.

use async_trait::async_trait;
use wasmcloud_wire::{ExecutorReport, Timestamp};

use super::SqlStore;
use super::backend::{Backend, Columns as _, read, write};
use super::value::values;
use crate::store::{FleetStore, StoreError};

#[async_trait]
impl<B: Backend> FleetStore for SqlStore<B> {
    async fn see_executor(&self, report: &ExecutorReport, now: Timestamp) -> Result<(), StoreError> {
        let text = serde_json::to_string(report).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let sql = "INSERT INTO executors (id, report, seen_at) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET report = excluded.report, seen_at = excluded.seen_at";
        write(&self.write, sql, values![report.id, text.as_str(), now]).await.map(|_| ())
    }

    async fn executors(&self, since: Timestamp) -> Result<Vec<(ExecutorReport, Timestamp)>, StoreError> {
        let sql = "SELECT report, seen_at FROM executors WHERE seen_at >= $1";
        let rows = read(&self.read, sql, values![since]).await?;
        let mut found = rows
            .iter()
            .map(|row| {
                let report: ExecutorReport = serde_json::from_str(&row.text(0)?)
                    .map_err(|error| StoreError::Corrupt(format!("an executor's report: {error}")))?;
                Ok((report, Timestamp(row.int(1)?)))
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        found.sort_by(|(one, _), (other, _)| (&one.name, one.id).cmp(&(&other.name, other.id)));
        Ok(found)
    }
}
