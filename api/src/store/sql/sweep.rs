//! Forgetting what nobody can use any more: tokens, invitations, sessions, steps and logins, changes that everybody has read.

use sqlx::Pool;
use wasmcloud_wire::Timestamp;

use super::backend::Backend;
use super::changes;
use super::prune::in_bites;
use crate::store::StoreError;

/// A token that is not in the table is refused like one that is revoked or expired there.
const TOKENS: &str = "DELETE FROM tokens WHERE id IN
    (SELECT id FROM tokens WHERE expires_at <= $1 OR revoked_at <= $1 LIMIT $2)";
/// So is an invitation.
const INVITATIONS: &str = "DELETE FROM invitations WHERE code_hash IN
    (SELECT code_hash FROM invitations WHERE expires_at <= $1 LIMIT $2)";

/// So are sessions, steps that somebody was in the middle of, and logins.
const SESSIONS: &str = "DELETE FROM sessions WHERE id IN
    (SELECT id FROM sessions WHERE expires_at <= $1 LIMIT $2)";
const TICKETS: &str = "DELETE FROM tickets WHERE secret_hash IN
    (SELECT secret_hash FROM tickets WHERE expires_at <= $1 LIMIT $2)";
const LOGINS: &str = "DELETE FROM logins WHERE id IN
    (SELECT id FROM logins WHERE expires_at <= $1 LIMIT $2)";

pub async fn sweep<B: Backend>(pool: &Pool<B>, now: Timestamp) -> Result<u64, StoreError> {
    let mut gone = 0;
    for sql in [TOKENS, INVITATIONS, SESSIONS, TICKETS, LOGINS] {
        gone += in_bites(pool, sql, now.0).await?;
    }
    Ok(gone + changes::sweep(pool).await?)
}
