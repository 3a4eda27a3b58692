//! What the store is told, and tells, of logins of programs that somebody approves in a browser.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::{Timestamp, UserId};

use super::{Grounds, StoreError};

/// A login that a program asks for.
#[derive(Clone, Debug)]
pub struct NewLoginRow {
    /// Its id, which the program alone knows.
    pub id: Uuid,
    /// What the person types in, without a dash.
    pub user_code: String,
    /// The SHA-256 of the program's verifier.
    pub challenge: [u8; 32],
    /// What the token will be called.
    pub label: String,
    /// The address that asks.
    pub peer: String,
    /// The port on the program's machine that the browser is sent back to.
    pub redirect_port: Option<u16>,
    /// Until when it can be approved and fetched.
    pub expires_at: Timestamp,
}

/// How many logins may wait at once.
#[derive(Clone, Copy, Debug)]
pub struct LoginRoom {
    /// In all.
    pub all: u32,
    /// From one address.
    pub of_peer: u32,
}

/// What became of asking for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginAsked {
    /// It waits for approval.
    Done,
    /// Another one has the same code; try another.
    CodeTaken,
    /// Too many wait already.
    Full,
}

/// A login that waits for approval.
#[derive(Clone, Debug)]
pub struct PendingRow {
    /// Its id.
    pub id: Uuid,
    /// What the token will be called.
    pub label: String,
    /// The address that asked.
    pub peer: String,
    /// The port on the program's machine that the browser is sent back to.
    pub redirect_port: Option<u16>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

/// How a login stands when its program asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There is none, it has expired or was used, or the verifier is another one.
    Gone,
    /// The program asks too often.
    TooOften,
    /// Nobody has decided yet.
    Pending,
    /// Somebody has refused it.
    Denied,
    /// It was approved, but the browser brought another code back, or none.
    WrongCode,
    /// It was approved, and is used up by this.
    Approved {
        /// By whom.
        user: UserId,
        /// What the token is called.
        label: String,
    },
}

/// What the control plane remembers of logins.
#[async_trait]
pub trait LoginStore: Send + Sync {
    /// Keeps a login, if there is room.
    async fn create_login(
        &self,
        new: &NewLoginRow,
        room: LoginRoom,
        now: Timestamp,
    ) -> Result<LoginAsked, StoreError>;
    /// The login that waits with this code.
    async fn pending_login(&self, user_code: &str, now: Timestamp) -> Result<Option<PendingRow>, StoreError>;
    /// Approves a login for a user, or refuses it, once. With `code_hash`, its program has to bring that code. False if none
    /// waits with this code, or the user is not known on these grounds any more.
    async fn decide_login(
        &self,
        user_code: &str,
        by: (UserId, &Grounds),
        approve: bool,
        code_hash: Option<&[u8; 32]>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// How a login stands; an approved one is used up. A program that asked after `asked_since` asks too often.
    async fn poll_login(
        &self,
        id: Uuid,
        challenge: &[u8; 32],
        code_hash: Option<&[u8; 32]>,
        asked_since: Timestamp,
        now: Timestamp,
    ) -> Result<Polled, StoreError>;
}
