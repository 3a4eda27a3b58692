//! Recorded invocations: kept with their records, as many as a handler's policy says.

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use wasmcloud_wire::{HandlerId, HandlerName, InvocationId, Record, Recording, RecordingPolicy, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns as _, begin, read};
use super::value::{Value, parse, values};
use crate::store::{RecordingStore, StoreError};

/// Keeps the recordings of a batch, of handlers that still want them, and drops the oldest beyond what each keeps.
pub async fn keep<B: Backend>(
    connection: &mut B::Connection,
    batch: &[Record],
    known: &HashSet<Uuid>,
) -> Result<(), StoreError> {
    let mut by_handler: BTreeMap<Uuid, Vec<&Recording>> = BTreeMap::new();
    for record in batch.iter().filter(|record| known.contains(&record.handler.0)) {
        if let Some(recording) = &record.recording {
            by_handler.entry(record.handler.0).or_default().push(recording);
        }
    }
    for (handler, recordings) in by_handler {
        let sql = "SELECT recording FROM handlers WHERE id = $1";
        let rows = B::rows(connection, sql, values![handler]).await?;
        let policy = rows.first().map(|row| row.maybe_text(0)).transpose()?.flatten();
        let Some(policy) = policy.as_deref().map(policy_of).transpose()? else { continue };
        for recording in recordings {
            let json = text(recording)?;
            let sql = "INSERT INTO recordings (invocation_id, handler_id, method, started_at, recording)
                VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
            let method = recording.request.method.as_str();
            B::execute(
                connection,
                sql,
                values![recording.invocation, handler, method, recording.at, json.as_str()],
            )
            .await?;
        }
        let sql = "DELETE FROM recordings WHERE handler_id = $1 AND position <=
            (SELECT position FROM recordings WHERE handler_id = $1 ORDER BY position DESC LIMIT 1 OFFSET $2)";
        B::execute(connection, sql, values![handler, i64::from(policy.keep)]).await?;
    }
    Ok(())
}

/// Drops all recordings of a handler that nobody may see any more. Waits for records that are being added, so
/// that none comes afterwards.
pub async fn forget<B: Backend>(
    connection: &mut B::Connection,
    handler: HandlerId,
) -> Result<(), StoreError> {
    if let Some(lock) = B::LOCK_RECORDS {
        B::execute(connection, lock, &[]).await?;
    }
    let sql = "DELETE FROM recordings WHERE handler_id = $1";
    B::execute(connection, sql, values![handler]).await.map(|_| ())
}

#[async_trait]
impl<B: Backend> RecordingStore for SqlStore<B> {
    async fn set_recording(
        &self,
        owner: UserId,
        name: &HandlerName,
        policy: Option<&RecordingPolicy>,
    ) -> Result<bool, StoreError> {
        let json = policy.map(text).transpose()?;
        let mut transaction = begin(&self.write).await?;
        let sql = "UPDATE handlers SET recording = $3
            WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id";
        let rows = B::rows(&mut transaction, sql, values![owner, name.as_str(), json.as_deref()]).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        if policy.is_none() {
            forget::<B>(&mut transaction, HandlerId(row.uuid(0)?)).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn recording_policy(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<RecordingPolicy>, StoreError> {
        let sql = "SELECT recording FROM handlers WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL";
        let rows = read(&self.read, sql, values![owner, name.as_str()]).await?;
        let text = rows.first().map(|row| row.maybe_text(0)).transpose()?.flatten();
        text.as_deref().map(policy_of).transpose()
    }

    async fn recording(
        &self,
        owner: UserId,
        invocation: InvocationId,
    ) -> Result<Option<(HandlerName, Recording)>, StoreError> {
        let sql = "SELECT h.name, r.recording FROM recordings r JOIN handlers h ON h.id = r.handler_id
            WHERE r.invocation_id = $1 AND h.owner_id = $2 AND h.deleted_at IS NULL";
        let rows = read(&self.read, sql, values![invocation, owner]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let recording = serde_json::from_str(&row.text(1)?)
            .map_err(|error| StoreError::Corrupt(format!("recording: {error}")))?;
        Ok(Some((parse(&row.text(0)?)?, recording)))
    }

    async fn recorded(
        &self,
        handler: HandlerId,
        methods: &[String],
        limit: u32,
    ) -> Result<Vec<InvocationId>, StoreError> {
        let mut values: Vec<Value<'_>> = vec![Value::from(handler), Value::from(i64::from(limit))];
        values.extend(methods.iter().map(|method| Value::from(method.as_str())));
        let places: Vec<String> = (3..3 + methods.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "SELECT invocation_id FROM recordings WHERE handler_id = $1 AND method IN ({})
                ORDER BY position DESC LIMIT $2",
            places.join(", ")
        );
        // Made of constants and numbers only.
        let mut connection = self.read.acquire().await?;
        let rows = B::rows(&mut connection, AssertSqlSafe(sql), &values).await?;
        rows.iter().map(|row| row.uuid(0).map(InvocationId)).collect()
    }
}

fn text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("recording: {error}")))
}

fn policy_of(text: &str) -> Result<RecordingPolicy, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("recording: {error}")))
}
