//! What the store is told, and tells, of who users are elsewhere, and of the steps that somebody is in the middle of.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{Identity, User};
use wasmcloud_wire::{Timestamp, UserId};

use super::{Grounds, NewUser, StoreError};

/// Who somebody is at a provider: its issuer's `sub`, which stays the same whatever else changes.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// Its id here.
    pub id: Uuid,
    /// The provider's name here.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// Who it is there.
    pub subject: String,
    /// What the provider calls the user.
    pub label: String,
}

/// Whom an identity is.
#[derive(Clone, Debug)]
pub struct Known {
    /// The user.
    pub user: User,
    /// Why the user is suspended, if so.
    pub suspended: Option<String>,
}

/// What became of linking an identity.
#[derive(Clone, Debug)]
pub enum Linked {
    /// It is the user's, perhaps since before.
    Done(Identity),
    /// It is another user's.
    Taken,
    /// The user has as many as a user may have.
    TooMany,
    /// Whoever asks is not known any more as before.
    Unfounded,
}

/// What became of unlinking one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It is gone.
    Done,
    /// The user has no such identity.
    NotFound,
    /// There would be no way left to sign in.
    LastWay,
}

/// What became of registering with an identity.
#[derive(Clone, Debug)]
pub enum Registered {
    /// There is a new user.
    Done(User),
    /// The ticket is not good any more.
    NoTicket,
    /// No invitation has this code, or not any more.
    NoInvitation,
    /// The name is taken.
    NameTaken,
    /// The identity is somebody's already.
    IdentityTaken,
}

/// A step that somebody is in the middle of, good once.
#[derive(Clone, Debug)]
pub struct NewTicket {
    /// The sha256 of what the person holds.
    pub secret_hash: [u8; 32],
    /// What kind of step it is.
    pub kind: &'static str,
    /// Who takes it, if that is known.
    pub user: Option<UserId>,
    /// What is remembered of it, as JSON.
    pub data: String,
    /// Until when.
    pub expires_at: Timestamp,
}

/// What is remembered of a step.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Who takes it, if that is known.
    pub user: Option<UserId>,
    /// What is remembered, as JSON.
    pub data: String,
}

/// What the control plane remembers of identities and steps.
#[async_trait]
pub trait IdentityStore: Send + Sync {
    /// A user's identities, the oldest first.
    async fn identities(&self, user: UserId) -> Result<Vec<Identity>, StoreError>;
    /// Whom an identity is; notes that it was used, and what the provider calls the user now.
    async fn sign_in_as(
        &self,
        issuer: &str,
        subject: &str,
        label: &str,
        now: Timestamp,
    ) -> Result<Option<Known>, StoreError>;
    /// Makes an identity a user's, of at most `at_most`, if whoever asks is known on these grounds still.
    async fn link_identity(
        &self,
        user: UserId,
        new: &NewIdentity,
        at_most: u32,
        grounds: &Grounds,
    ) -> Result<Linked, StoreError>;
    /// Takes an identity from a user, to whom a password or another identity at one of `providers` must be left.
    async fn unlink_identity(
        &self,
        user: UserId,
        id: Uuid,
        providers: &[String],
    ) -> Result<Unlinked, StoreError>;
    /// Adds a user with an identity, and uses up the ticket and the invitation: all or nothing.
    async fn register_identity(
        &self,
        new: NewUser,
        identity: &NewIdentity,
        ticket: &[u8; 32],
        invitation: Option<&[u8; 32]>,
        now: Timestamp,
    ) -> Result<Registered, StoreError>;

    /// Keeps a ticket. One of a user replaces the same user's others of its kind, if `alone`.
    async fn create_ticket(&self, new: &NewTicket, alone: bool) -> Result<(), StoreError>;
    /// What a ticket says that has not expired; it stays good.
    async fn ticket(
        &self,
        secret_hash: &[u8; 32],
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<Ticket>, StoreError>;
    /// Uses up a ticket; nothing if it was used before, or has expired.
    async fn take_ticket(
        &self,
        secret_hash: &[u8; 32],
        kind: &str,
        now: Timestamp,
    ) -> Result<Option<Ticket>, StoreError>;
}
