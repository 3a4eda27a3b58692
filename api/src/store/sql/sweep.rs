//! Forgetting what nobody can use any more: tokens, invitations, changes that everybody has read.

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

pub async fn sweep<B: Backend>(pool: &Pool<B>, now: Timestamp) -> Result<u64, StoreError> {
    let tokens = in_bites(pool, TOKENS, now.0).await?;
    let invitations = in_bites(pool, INVITATIONS, now.0).await?;
    Ok(tokens + invitations + changes::sweep(pool).await?)
}
