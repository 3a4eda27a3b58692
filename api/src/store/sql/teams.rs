//! Teams, and who may do what with a handler.

use async_trait::async_trait;
use wasmcloud_wire::body::Role;
use wasmcloud_wire::{HandlerId, HandlerName, UserId};

use super::SqlStore;
use super::backend::{Backend, Columns as _, read};
use super::handlers;
use super::value::values;
use crate::store::{FoundHandler, HandlerRow, StoreError, TeamStore};

const FIND_HANDLER: &str = "SELECT h.id, h.owner_id, t.role FROM handlers h
    LEFT JOIN members t ON t.team_id = h.owner_id AND t.user_id = $1
    WHERE h.name = $2 AND h.deleted_at IS NULL AND (h.owner_id = $1 OR t.role IS NOT NULL)";

#[async_trait]
impl<B: Backend> TeamStore for SqlStore<B> {
    async fn find_handler(
        &self,
        user: UserId,
        name: &HandlerName,
    ) -> Result<Option<FoundHandler>, StoreError> {
        let rows = read(&self.read, FIND_HANDLER, values![user, name.as_str()]).await?;
        let found = |row: &B::Row| {
            let role = row
                .maybe_text(2)?
                .map_or(Ok(Role::Owner), |role| role.parse().map_err(StoreError::Corrupt))?;
            Ok(FoundHandler { id: HandlerId(row.uuid(0)?), owner: UserId(row.uuid(1)?), role })
        };
        rows.first().map(found).transpose()
    }

    async fn visible_handlers(&self, user: UserId) -> Result<Vec<HandlerRow>, StoreError> {
        handlers::visible(&self.read, user).await
    }
}
