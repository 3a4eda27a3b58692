//! When tokens were last used.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::Timestamp;

use super::SqlStore;
use super::backend::{Backend, write};
use super::value::values;
use crate::store::{StoreError, TokenStore};

#[async_trait]
impl<B: Backend> TokenStore for SqlStore<B> {
    async fn note_token_use(&self, id: Uuid, minute: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE tokens SET used_at = $2 WHERE id = $1 AND (used_at IS NULL OR used_at < $2)";
        write(&self.write, sql, values![id, minute]).await.map(|_| ())
    }
}
