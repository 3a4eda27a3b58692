//! Bodies about who changed what.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// One of `GET /api/v1/audit?since=…&until=…&before=POSITION&actor=…&action=…&subject=…&limit=…`, newest first.
/// Operators see everything; others what they did, and what was done to what is theirs or their teams'. `action=handler`
/// finds `handler.promote` too.
/// `GET /api/v1/audit/export?format=ndjson&since=…&until=…` has the same, oldest first, one JSON text a line, or as CSV with `format=csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the order.
    pub position: i64,
    /// When.
    pub at: Timestamp,
    /// Who: a user's name, or `-` for somebody who is not known.
    pub actor: String,
    /// By what: `token ID`, `session ID`, `nobody`, or `server` for what the platform did by itself.
    pub via: String,
    /// What was done, such as `handler.promote`.
    pub action: String,
    /// To what: a name.
    pub subject: String,
    /// More of it: never a secret, never a setting's value.
    pub detail: serde_json::Map<String, serde_json::Value>,
    /// From which address.
    pub peer: String,
    /// The request's id.
    pub request_id: Uuid,
    /// The status that it was answered with; absent while it goes on, or if the server died in it.
    pub status: Option<u16>,
}

/// `GET /api/v1/audit`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Audit {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// Older entries were not looked at: ask again with `before` for them. Absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_before: Option<i64>,
}
