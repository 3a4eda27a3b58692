//! What the store is told, and tells, of teams, and of who may do what with a handler.

use async_trait::async_trait;
use wasmcloud_wire::body::Role;
use wasmcloud_wire::{HandlerId, HandlerName, UserId};

use super::{HandlerRow, StoreError};

/// A handler that somebody can see, and by what right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundHandler {
    /// The handler.
    pub id: HandlerId,
    /// The user or the team that has it.
    pub owner: UserId,
    /// What whoever asks is to it: the owner, or what the team says.
    pub role: Role,
}

/// What the control plane remembers of teams.
#[async_trait]
pub trait TeamStore: Send + Sync {
    /// A handler of this user, or of a team that the user belongs to.
    async fn find_handler(
        &self,
        user: UserId,
        name: &HandlerName,
    ) -> Result<Option<FoundHandler>, StoreError>;
    /// Handlers of this user, and of the teams that the user belongs to, by name.
    async fn visible_handlers(&self, user: UserId) -> Result<Vec<HandlerRow>, StoreError>;
}
