//! The executors that are there, and the signed requests that were taken.

use async_trait::async_trait;
use wasmcloud_wire::{ExecutorReport, Timestamp};

use super::SqlStore;
use super::backend::{Backend, Columns as _, read, write};
use super::prune::in_bites;
use super::value::values;
use crate::store::{FleetStore, StoreError};

const NONCES: &str = "DELETE FROM nonces WHERE nonce IN
    (SELECT nonce FROM nonces WHERE expires_at < $1 LIMIT $2)";

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

    async fn use_nonce(&self, nonce: &[u8; 16], expires_at: Timestamp) -> Result<bool, StoreError> {
        let sql = "INSERT INTO nonces (nonce, expires_at) VALUES ($1, $2) ON CONFLICT (nonce) DO NOTHING";
        let used = write(&self.write, sql, values![nonce.as_slice(), expires_at]).await?;
        Ok(used == 1)
    }

    async fn sweep_fleet(&self, before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        in_bites(&self.write, NONCES, now.0).await?;
        write(&self.write, "DELETE FROM executors WHERE seen_at < $1", values![before]).await
    }
}
