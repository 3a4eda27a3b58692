//! What the store is told, and tells, of who changed what.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::AuditEntry;
use wasmcloud_wire::{Timestamp, UserId};

use super::StoreError;

/// Longest detail of an entry that is kept, in bytes of its JSON.
const DETAIL_BYTES_MAX: usize = 4 << 10;

/// A detail as it is kept: of one that is too long its beginning, and how long it was.
pub(crate) fn audit_detail(detail: &serde_json::Value) -> String {
    let text = detail.to_string();
    if text.len() <= DETAIL_BYTES_MAX {
        return text;
    }
    // In a JSON text, quotation marks and backslashes take two bytes each; there are no control characters in one.
    let kept = text.get(..text.floor_char_boundary(DETAIL_BYTES_MAX / 2 - 64)).unwrap_or_default();
    serde_json::json!({ "cut_from_bytes": text.len(), "begins": kept }).to_string()
}

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
    /// More of it, as a JSON object of at most 4 KiB; no secrets.
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
            detail: audit_detail(detail),
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

/// What is known of a change only when it is done. What is absent stays as it was noted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditMore {
    /// Whose id, and name, it turned out to be: the actor's, and the account's.
    pub user: Option<(UserId, String)>,
    /// More of it, as a JSON object of at most 4 KiB; no secrets.
    pub detail: Option<String>,
}

/// How many entries went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditDropped {
    /// They were too old.
    pub old: u64,
    /// There were too many.
    pub too_many: u64,
}

/// What the control plane remembers of who changed what.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Notes a change before it begins; the answer is the note's position.
    async fn begin_audit(&self, row: &NewAuditRow) -> Result<i64, StoreError>;
    /// Notes what came of it, as the status of its request, and what else is known by then.
    async fn finish_audit(&self, position: i64, status: u16, more: &AuditMore) -> Result<(), StoreError>;
    /// Entries in their order.
    async fn audit_page(&self, scope: AuditScope, page: AuditPage) -> Result<Vec<AuditEntry>, StoreError>;
    /// The position of the first entry of this time or later, if there is one.
    async fn audit_position(&self, at: Timestamp) -> Result<Option<i64>, StoreError>;
    /// Drops entries from before this time, and the oldest beyond `rows_max`. In bites, like
    /// [`Store::prune`](super::Store::prune).
    async fn prune_audit(&self, before: Timestamp, rows_max: u64) -> Result<AuditDropped, StoreError>;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_detail_that_is_too_long_is_cut_says_so_and_stays_json() {
        let short = json!({ "reason": "more visitors" });
        assert_eq!(audit_detail(&short), short.to_string());
        for long in
            ["x".repeat(1 << 20), "\"\\".repeat(9_000), "\u{0}\n".repeat(4_000), "\u{1f30d}".repeat(2_000)]
        {
            let detail = json!({ "reason": long });
            let kept = audit_detail(&detail);
            assert!((1_000..=DETAIL_BYTES_MAX).contains(&kept.len()), "{}", kept.len());
            let kept: Value = serde_json::from_str(&kept).unwrap();
            assert_eq!(kept["cut_from_bytes"], detail.to_string().len());
            assert!(detail.to_string().starts_with(kept["begins"].as_str().unwrap()));
        }
    }
}
