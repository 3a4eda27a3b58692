//! What the store is told, and tells, of recorded invocations.

use async_trait::async_trait;
use wasmcloud_wire::{HandlerId, HandlerName, InvocationId, Recording, RecordingPolicy, UserId};

use super::StoreError;

/// Recorded invocations. They come with their records ([`super::Store::record`]), as many of a handler as its
/// policy keeps, and go with them ([`super::Store::prune`]).
#[async_trait]
pub trait RecordingStore: Send + Sync {
    /// Says what of a handler's invocations is recorded from now on; with nothing, what was recorded goes too.
    /// False if the user has no such handler.
    async fn set_recording(
        &self,
        owner: UserId,
        name: &HandlerName,
        policy: Option<&RecordingPolicy>,
    ) -> Result<bool, StoreError>;
    /// What of a user's handler is recorded.
    async fn recording_policy(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<RecordingPolicy>, StoreError>;
    /// A recorded invocation of one of a user's handlers, and the handler's name.
    async fn recording(
        &self,
        owner: UserId,
        invocation: InvocationId,
    ) -> Result<Option<(HandlerName, Recording)>, StoreError>;
    /// A handler's newest recorded invocations with one of these methods, the newest first.
    async fn recorded(
        &self,
        handler: HandlerId,
        methods: &[String],
        limit: u32,
    ) -> Result<Vec<InvocationId>, StoreError>;
}
