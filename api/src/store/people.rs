//! What the store is told, and tells, of people: passwords, and what operators do about accounts.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{InvitationInfo, UserInfo};
use wasmcloud_wire::{HandlerName, Timestamp, UserId, UserName};

use super::{Known, StoreError};

/// What goes on when a password is changed. Everything else that the user is known by ends.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// This session.
    pub session: Option<Uuid>,
    /// These tokens.
    pub tokens: KeepTokens,
}

/// Which tokens go on.
#[derive(Clone, Copy, Debug)]
pub enum KeepTokens {
    /// All of them.
    All,
    /// One, or none.
    Only(Option<Uuid>),
}

/// What became of a change that must leave an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It is done.
    Done,
    /// There is no such account.
    NotFound,
    /// There would be no operator any more who can sign in.
    LastOperator,
}

/// What the control plane remembers of people.
#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// Accounts by name: those whose name has `query` in it, after a name, at most `limit`.
    async fn people(
        &self,
        query: &str,
        after: Option<&UserName>,
        limit: u32,
    ) -> Result<Vec<UserInfo>, StoreError>;
    /// One account.
    async fn person(&self, name: &UserName) -> Result<Option<UserInfo>, StoreError>;
    /// A user, whoever asks.
    async fn known(&self, id: UserId) -> Result<Option<Known>, StoreError>;
    /// A user's password hash; empty where there is no password.
    async fn password_hash(&self, user: UserId) -> Result<Option<String>, StoreError>;
    /// Sets a user's password, whose hash so far is `old`; false if it is another one by now. What was begun for the user
    /// and not finished ends as well.
    async fn set_password(
        &self,
        user: UserId,
        old: &str,
        hash: &str,
        keep: Keep,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Sets the password of whoever a reset was made for, and ends all that the user is known by. Nothing if there is no
    /// such reset, or it has expired or was used.
    async fn reset_password(
        &self,
        code_hash: &[u8; 32],
        hash: &str,
        now: Timestamp,
    ) -> Result<Option<UserId>, StoreError>;
    /// Makes a user an operator, or no longer one.
    async fn set_admin(&self, user: UserId, is_admin: bool) -> Result<Changed, StoreError>;
    /// Suspends an account, or goes on suspending it for another reason.
    async fn suspend(&self, account: UserId, reason: &str, now: Timestamp) -> Result<Changed, StoreError>;
    /// Lifts a suspension; false if there was none.
    async fn resume(&self, account: UserId) -> Result<bool, StoreError>;
    /// The names of an account's handlers.
    async fn handler_names(&self, account: UserId) -> Result<Vec<HandlerName>, StoreError>;
    /// Invitations, the newest first.
    async fn invitations(&self, now: Timestamp) -> Result<Vec<InvitationInfo>, StoreError>;
    /// Takes back an invitation that nobody has used, by its id; false if there is none.
    async fn revoke_invitation(&self, id: &str) -> Result<bool, StoreError>;
}
