//! Hosts, and the paths below them that lead to handlers.

use async_trait::async_trait;
use wasmcloud_wire::{HostName, HostRoute};

use super::SqlStore;
use super::backend::{Backend, Columns as _, read};
use super::value::{parse, values};
use crate::store::{RouteStore, StoreError};

#[async_trait]
impl<B: Backend> RouteStore for SqlStore<B> {
    async fn host_routes(&self, host: &HostName) -> Result<Vec<HostRoute>, StoreError> {
        let sql = "SELECT r.path, h.name, r.strip_prefix FROM routes r
            JOIN hosts o ON o.name = r.host AND o.owner_id = r.owner_id AND o.proven_at IS NOT NULL
            JOIN handlers h ON h.id = r.handler_id AND h.deleted_at IS NULL
            WHERE r.host = $1 ORDER BY length(r.path) DESC, r.path";
        let rows = read(&self.read, sql, values![host.as_str()]).await?;
        let route = |row: &B::Row| {
            Ok(HostRoute { path: row.text(0)?, handler: parse(&row.text(1)?)?, strip_prefix: row.flag(2)? })
        };
        rows.iter().map(route).collect()
    }
}
