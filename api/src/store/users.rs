//! What the store is told, and tells, of users and tokens.

use uuid::Uuid;
use wasmcloud_wire::{Timestamp, UserId, UserName};

/// A user to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user's id.
    pub id: UserId,
    /// The user's name.
    pub name: UserName,
    /// The password's argon2id hash as a PHC string.
    pub password_hash: String,
    /// Whether the user operates this installation.
    pub is_admin: bool,
}

/// A token to be kept.
#[derive(Clone, Debug)]
pub struct NewTokenRow {
    /// Its `jti`.
    pub id: Uuid,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub label: String,
    /// When it ends.
    pub expires_at: Timestamp,
}
