//! What the store is told, and tells, of users and tokens.

use uuid::Uuid;
use wasmcloud_wire::body::{Scope, User};
use wasmcloud_wire::{HandlerName, Timestamp, UserId, UserName};

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
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The handlers that it is limited to; all if absent.
    pub handlers: Option<Vec<HandlerName>>,
}

/// A token that is neither revoked nor expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveToken {
    /// The user that it speaks for.
    pub user: User,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The handlers that it is limited to; all if absent.
    pub handlers: Option<Vec<HandlerName>>,
    /// Why the user is suspended, if so.
    pub suspended: Option<String>,
    /// When it was last used, to the minute.
    pub used_at: Option<Timestamp>,
}
