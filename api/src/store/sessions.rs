//! What the store is told, and tells, of the panel's sessions.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{SessionInfo, User};
use wasmcloud_wire::{Timestamp, UserId};

use super::StoreError;

/// A session to be kept.
#[derive(Clone, Debug)]
pub struct NewSessionRow {
    /// Its id.
    pub id: Uuid,
    /// The sha256 of what the browser holds.
    pub secret_hash: [u8; 32],
    /// Whose it is.
    pub user: UserId,
    /// What the browser said that it is.
    pub user_agent: String,
    /// The address that it was begun from.
    pub peer: String,
    /// When it begins.
    pub now: Timestamp,
    /// When it ends, however much it is used.
    pub expires_at: Timestamp,
}

/// What somebody is given a token or a session on, or approves something on. Whoever checked it did so a while ago: it has
/// to be so still when that is kept, and the user must not be suspended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// Nothing besides: the user was just made, or whoever runs this server asks.
    Known,
    /// A password, whose hash was this.
    Password(String),
    /// A session of the user's with this id.
    Session(Uuid),
    /// A token of the user's with this id.
    Token(Uuid),
    /// A login that the user has approved, with this id.
    Login(Uuid),
    /// An identity of the user's.
    Identity {
        /// Who says so.
        issuer: String,
        /// Who the user is there.
        subject: String,
    },
}

/// A session that has neither ended nor been idle for too long.
#[derive(Clone, Debug)]
pub struct LiveSession {
    /// Its id.
    pub id: Uuid,
    /// The user that it speaks for.
    pub user: User,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// Why the user is suspended, if so.
    pub suspended: Option<String>,
}

/// What the control plane remembers of sessions. `idle_since` is what one must have been used after to be live.
#[async_trait]
pub trait SessionStore: Send + Sync {
    /// Keeps a session; of the user's others as many as make `at_most` with it, those that were used last. False if the
    /// grounds do not hold any more.
    async fn create_session(
        &self,
        new: &NewSessionRow,
        at_most: u32,
        grounds: &Grounds,
    ) -> Result<bool, StoreError>;
    /// A session by the hash of its secret.
    async fn live_session(
        &self,
        secret_hash: &[u8; 32],
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Option<LiveSession>, StoreError>;
    /// Whether a session is live and its user is not suspended.
    async fn session_is_live(
        &self,
        id: Uuid,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Notes that a session was used.
    async fn see_session(&self, id: Uuid, now: Timestamp) -> Result<(), StoreError>;
    /// A user's live sessions, those that were used last first. `current` is false in each.
    async fn sessions(
        &self,
        user: UserId,
        now: Timestamp,
        idle_since: Timestamp,
    ) -> Result<Vec<SessionInfo>, StoreError>;
    /// Ends a user's session, and with it the logins that the user has approved and no program has fetched yet: whose session
    /// approved them is not kept. False if the user has no such session.
    async fn end_session(&self, user: UserId, id: Uuid) -> Result<bool, StoreError>;
}
