//! Who changed what.

use async_trait::async_trait;

use super::SqlStore;
use super::backend::{Backend, Columns as _, begin, write};
use super::value::values;
use crate::store::{AuditStore, NewAuditRow, StoreError};

#[async_trait]
impl<B: Backend> AuditStore for SqlStore<B> {
    async fn begin_audit(&self, row: &NewAuditRow) -> Result<i64, StoreError> {
        let sql =
            "INSERT INTO audit (actor_id, actor, via, action, subject, account_id, detail, peer, request_id)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING position";
        let values = values![
            row.actor_id.map(|id| id.0),
            row.actor.as_str(),
            row.via.as_str(),
            row.action.as_str(),
            row.subject.as_str(),
            row.account.map(|id| id.0),
            row.detail.as_str(),
            row.peer.as_str(),
            row.request_id
        ];
        let mut transaction = begin(&self.write).await?;
        let rows = B::rows(&mut transaction, sql, values).await?;
        let position =
            rows.first().ok_or_else(|| StoreError::Corrupt("a row without a position".to_owned()))?.int(0)?;
        transaction.commit().await?;
        Ok(position)
    }

    async fn finish_audit(&self, position: i64, status: u16) -> Result<(), StoreError> {
        let sql = "UPDATE audit SET status = $2 WHERE position = $1";
        write(&self.write, sql, values![position, i64::from(status)]).await.map(|_| ())
    }
}
