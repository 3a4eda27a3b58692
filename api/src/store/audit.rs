//! What the store is told, and tells, of who changed what.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::AuditEntry;
use wasmcloud_wire::{Timestamp, UserId};

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

impl NewAuditRow {
    /// What the platform does by itself, without a request.
    pub fn by_server(
        action: &str,
        subject: &str,
        account: Option<UserId>,
        detail: &serde_json::Value,
    ) -> NewAuditRow {
        NewAuditRow {
            actor_id: None,
            actor: "-".to_owned(),
            via: "server".to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            account,
            detail: detail.to_string(),
            peer: "-".to_owned(),
            request_id: Uuid::now_v7(),
        }
    }
}

/// Whose entries are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditScope {
    /// Everybody's.
    All,
    /// What this user did, and what was done to what is the user's or one of the user's teams'.
    Of(UserId),
}

/// A part of the audit log, by positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPage {
    /// Not before this position.
    pub from: i64,
    /// Before this position.
    pub before: i64,
    /// Whether the newest come first; otherwise the oldest do.
    pub newest_first: bool,
    /// At most so many.
    pub limit: u32,
}

/// What the control plane remembers of who changed what.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Notes a change before it begins; the answer is the note's position.
    async fn begin_audit(&self, row: &NewAuditRow) -> Result<i64, StoreError>;
    /// Notes what came of it, as the status of its request.
    async fn finish_audit(&self, position: i64, status: u16) -> Result<(), StoreError>;
    /// Entries in their order.
    async fn audit_page(&self, scope: AuditScope, page: AuditPage) -> Result<Vec<AuditEntry>, StoreError>;
    /// The position of the first entry of this time or later, if there is one.
    async fn audit_position(&self, at: Timestamp) -> Result<Option<i64>, StoreError>;
    /// Drops entries from before this time; how many went. In bites, like [`Store::prune`](super::Store::prune).
    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError>;
}
