//! Handlers' own policies, kept as JSON with their handlers.

use sqlx::Pool;
use wasmcloud_wire::{HandlerName, Policy, UserId};

use super::backend::{Backend, Columns, begin};
use super::handlers::{find_in, live_inspection, vanished};
use super::value::values;
use crate::store::{EditPolicy, PolicyEdit, StoreError};

/// The first statement changes nothing and locks the handler's row until the commit, so that what is edited is
/// what is replaced.
pub async fn edit<B: Backend>(
    pool: &Pool<B>,
    owner: UserId,
    name: &HandlerName,
    edit: &PolicyEdit<'_>,
) -> Result<EditPolicy, StoreError> {
    let mut transaction = begin(pool).await?;
    let sql = "UPDATE handlers SET policy = policy
        WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING policy";
    let rows = B::rows(&mut transaction, sql, values![owner, name.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(EditPolicy::HandlerNotFound) };
    let live = live_inspection::<B>(&mut transaction, owner, name).await?;
    let edited = match edit(policy(&row.text(0)?)?, &live) {
        Ok(edited) => policy_text(&edited)?,
        // Dropping the transaction rolls it back.
        Err(unfit) => return Ok(EditPolicy::Refused(unfit)),
    };
    let sql = "UPDATE handlers SET policy = $3 WHERE owner_id = $1 AND name = $2 AND deleted_at IS NULL";
    B::execute(&mut transaction, sql, values![owner, name.as_str(), edited.as_str()]).await?;
    let row = find_in::<B>(&mut transaction, owner, name).await?;
    transaction.commit().await?;
    row.map(Box::new).map(EditPolicy::Changed).ok_or_else(vanished)
}

/// A column's text as a policy.
pub fn policy(text: &str) -> Result<Policy, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt(format!("policy: {error}")))
}

/// A policy as its column has it.
pub fn policy_text(policy: &Policy) -> Result<String, StoreError> {
    serde_json::to_string(policy).map_err(|error| StoreError::Corrupt(format!("policy: {error}")))
}
