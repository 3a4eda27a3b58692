//! What the store is told, and tells, of who changed what.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::UserId;

use super::StoreError;

/// A change that is about to begin.
#[derive(Clone, Debug)]
pub struct NewAuditRow {
    /// Who, if that is known.
    pub actor_id: Option<UserId>,
    /// The actor's name, or `-`.
    pub actor: String,
    /// By what the actor is known.
    pub via: String,
    /// What is about to be done, such as `handler.promote`.
    pub action: String,
    /// To what.
    pub subject: String,
    /// The account that has it.
    pub account: Option<UserId>,
    /// More of it, as a JSON object; no secrets.
    pub detail: String,
    /// The client's address.
    pub peer: String,
    /// The request's id.
    pub request_id: Uuid,
}

/// What the control plane remembers of who changed what.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Notes a change before it begins; the answer is the note's position.
    async fn begin_audit(&self, row: &NewAuditRow) -> Result<i64, StoreError>;
    /// Notes what came of it, as the status of its request.
    async fn finish_audit(&self, position: i64, status: u16) -> Result<(), StoreError>;
}
