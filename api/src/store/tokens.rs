//! What the store is told of tokens' use.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::Timestamp;

use super::StoreError;

/// What the control plane remembers of tokens' use.
#[async_trait]
pub trait TokenStore: Send + Sync {
    /// Notes that a token was used in the minute that begins here, unless it was used then or later already.
    async fn note_token_use(&self, id: Uuid, minute: Timestamp) -> Result<(), StoreError>;
}
