//! What the control plane remembers: users, tokens, handlers, versions, records.
//!
//! One verb, one transaction. Lookups return `Option`; ownership is part of every query, so that
//! another user's thing is simply not found. The store never sees HTTP.

mod error;
mod fit;
mod sql;

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{Token, User};
use wasmcloud_wire::{
    Abi, Deployment, Digest, HandlerId, HandlerName, Inspection, InvocationId, Limits, LogLine, Policy,
    Receipt, Record, RouteKey, Timestamp, UserId, UserName, VersionNumber,
};

pub use error::StoreError;
pub use fit::{Fits, NoRoom, PolicyEdit, Unfit};
pub use sql::{PostgresStore, SqliteStore};

/// Everything that the control plane remembers.
#[async_trait]
pub trait Store: Send + Sync {
    // Users and tokens.

    /// Adds a user; `Conflict` if the name is taken.
    async fn create_user(&self, new: NewUser) -> Result<User, StoreError>;
    /// Adds a user and uses up an invitation, both or neither. `Conflict` if the name is taken,
    /// `Ok(None)` if no unused, unexpired invitation has this hash.
    async fn create_invited_user(
        &self,
        new: NewUser,
        code_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError>;
    /// A user and the user's password hash (a PHC string).
    async fn user_by_name(&self, name: &UserName) -> Result<Option<(User, String)>, StoreError>;
    /// How many users there are.
    async fn count_users(&self) -> Result<u64, StoreError>;
    /// Keeps an invitation that can be used once, by the sha256 of its code.
    async fn create_invitation(
        &self,
        code_hash: &[u8; 32],
        created_by: UserId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;
    /// Keeps a token's id, so that the token is live.
    async fn create_token(&self, new: NewTokenRow) -> Result<(), StoreError>;
    /// The user that a live token speaks for: neither revoked nor expired.
    async fn live_token(&self, id: Uuid, now: Timestamp) -> Result<Option<User>, StoreError>;
    /// A user's live tokens, newest first. `current` is false in each.
    async fn tokens(&self, user: UserId, now: Timestamp) -> Result<Vec<Token>, StoreError>;
    /// Revokes a user's token; false if the user has no such live token.
    async fn revoke_token(&self, user: UserId, id: Uuid, now: Timestamp) -> Result<bool, StoreError>;

    // Handlers and versions.

    /// Adds a handler with its version 1, live.
    async fn create_handler(&self, new: NewHandler, now: Timestamp) -> Result<CreateHandler, StoreError>;
    /// Adds a version and makes it live, if its module `fits` the handler's policy; with a policy, the handler
    /// has that one from the same moment on.
    async fn add_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        module: NewModule,
        policy: Option<&Policy>,
        fits: &Fits<'_>,
    ) -> Result<AddVersion, StoreError>;
    /// A user's handler.
    async fn handler(&self, owner: UserId, name: &HandlerName) -> Result<Option<HandlerRow>, StoreError>;
    /// A user's handlers by name.
    async fn handlers(&self, owner: UserId) -> Result<Vec<HandlerRow>, StoreError>;
    /// Changes whether `Authorization` reaches the program.
    async fn set_forward_authorization(
        &self,
        owner: UserId,
        name: &HandlerName,
        forward: bool,
    ) -> Result<Option<HandlerRow>, StoreError>;
    /// Changes a handler's policy to what `edit` makes of it; two changes at once happen one after the
    /// other, and neither is lost.
    async fn edit_policy(
        &self,
        owner: UserId,
        name: &HandlerName,
        edit: &PolicyEdit<'_>,
    ) -> Result<EditPolicy, StoreError>;
    /// Deletes a handler; its name is held for its owner. False if there is none.
    ///
    /// Its versions and records are out of reach from then on; records go with the next [`Store::prune`].
    async fn delete_handler(
        &self,
        owner: UserId,
        name: &HandlerName,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// A handler's versions, newest first.
    async fn versions(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<Vec<VersionRow>>, StoreError>;
    /// Makes a version live: one atomic pointer move, if its module `fits` the handler's policy.
    async fn promote(
        &self,
        owner: UserId,
        name: &HandlerName,
        version: VersionNumber,
        fits: &Fits<'_>,
    ) -> Result<PromoteResult, StoreError>;
    /// What an address serves, whoever asks.
    async fn deployment(&self, key: &RouteKey) -> Result<Option<DeploymentRow>, StoreError>;
    /// Whether a version of a handler that is not deleted refers to this module.
    async fn module_in_use(&self, digest: &Digest) -> Result<bool, StoreError>;

    // Records.

    /// Keeps receipts and log lines, each once, however often it is told. What belongs to a handler
    /// that was never there or is deleted is passed over.
    async fn record(&self, batch: &[Record]) -> Result<(), StoreError>;
    /// The newest lines that a query asks for, oldest first: in the order of their positions.
    async fn log_lines(
        &self,
        handler: HandlerId,
        query: &LogQuery,
    ) -> Result<Vec<Positioned<LogLine>>, StoreError>;
    /// The newest receipts that a query asks for, newest first; with `after`, oldest first.
    async fn receipts(
        &self,
        handler: HandlerId,
        query: &LogQuery,
    ) -> Result<Vec<Positioned<Receipt>>, StoreError>;
    /// A handler's receipts from the newest back, from `since` on and before the position `before`, at most
    /// `limit` of them.
    async fn receipts_back(
        &self,
        handler: HandlerId,
        since: Timestamp,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Positioned<Receipt>>, StoreError>;
    /// The last position that any log line and any receipt has.
    async fn last_positions(&self) -> Result<Positions, StoreError>;
    /// Drops records made before `before`, then the oldest by position until at most `rows_max` log
    /// lines and as many receipts are left. Returns how many rows went.
    ///
    /// The one verb that is many transactions: it goes in bites, so that `record` gets its turn.
    async fn prune(&self, before: Timestamp, rows_max: u64) -> Result<u64, StoreError>;
    /// Forgets tokens that are expired or revoked, and invitations that are expired. Returns how many.
    async fn sweep_expired(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

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

/// A module that is stored already.
#[derive(Clone, Debug)]
pub struct NewModule {
    /// Its digest.
    pub digest: Digest,
    /// What it is and asks for.
    pub inspection: Inspection,
}

/// A handler to be added.
#[derive(Clone, Debug)]
pub struct NewHandler {
    /// Its id.
    pub id: HandlerId,
    /// Whose it is.
    pub owner: UserId,
    /// Its name.
    pub name: HandlerName,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// Its own policy.
    pub policy: Policy,
    /// Its first version's module.
    pub module: NewModule,
}

/// What became of a handler that was to be added.
#[derive(Clone, Debug)]
pub enum CreateHandler {
    /// It is there.
    Created(Box<HandlerRow>),
    /// Somebody's handler has this name.
    NameTaken,
    /// Somebody else's deleted handler had this name, until when it is held.
    NameHeld(Timestamp),
}

/// What became of a version that was to be added.
#[derive(Clone, Debug)]
pub enum AddVersion {
    /// It is there, and live.
    Added(Box<HandlerRow>),
    /// The user has no such handler.
    HandlerNotFound,
    /// The handler's policy leaves the version too little memory; nothing changed.
    NoRoom(NoRoom),
}

/// A handler and its live version.
#[derive(Clone, Debug)]
pub struct HandlerRow {
    /// Its id.
    pub id: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is.
    pub owner: UserId,
    /// The live version.
    pub live: VersionNumber,
    /// The live version's ABI.
    pub abi: Abi,
    /// The live version's module.
    pub digest: Digest,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// Its own policy.
    pub policy: Policy,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What became of a policy that was to be changed.
#[derive(Clone, Debug)]
pub enum EditPolicy {
    /// It is changed.
    Changed(Box<HandlerRow>),
    /// The edit refused; nothing changed.
    Refused(Unfit),
    /// The user has no such handler.
    HandlerNotFound,
}

/// What an address serves.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentRow {
    /// The handler.
    pub handler: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is.
    pub owner: UserId,
    /// The version.
    pub version: VersionNumber,
    /// The version's module.
    pub digest: Digest,
    /// How the module speaks to the host.
    pub abi: Abi,
    /// Whether `Authorization` reaches the program.
    pub forward_authorization: bool,
    /// The handler's own policy.
    pub policy: Policy,
}

impl DeploymentRow {
    /// What an executor is told, where the operator has these defaults and ceilings.
    pub fn deployment(self, default: &Limits, ceiling: &Limits) -> Deployment {
        Deployment {
            limits: self.policy.limits(default, ceiling),
            urls: self.policy.urls(),
            handler: self.handler,
            name: self.name,
            owner: self.owner,
            version: self.version,
            digest: self.digest,
            abi: self.abi,
            // A handler has no variables of its own yet.
            env: Default::default(),
            forward_authorization: self.forward_authorization,
        }
    }
}

/// A version.
#[derive(Clone, Debug)]
pub struct VersionRow {
    /// Its number.
    pub number: VersionNumber,
    /// Its module.
    pub digest: Digest,
    /// Its module's ABI.
    pub abi: Abi,
    /// Its module's size.
    pub size_bytes: u64,
    /// Whether it is live.
    pub live: bool,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// What became of a version that was to be made live.
#[derive(Clone, Debug)]
pub enum PromoteResult {
    /// It is live.
    Promoted(Box<HandlerRow>),
    /// The user has no such handler.
    HandlerNotFound,
    /// The handler has no such version.
    VersionNotFound,
    /// The handler's policy leaves the version too little memory; nothing changed.
    NoRoom(NoRoom),
}

/// Which records are asked for.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Of this invocation only.
    pub invocation: Option<InvocationId>,
    /// After this position only. Then the oldest come first, and the limit cuts the newest.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A record and its place in the order in which the store learned of records.
#[derive(Clone, Debug)]
pub struct Positioned<T> {
    /// The place.
    pub position: i64,
    /// The record.
    pub record: T,
}

/// The last positions that a follower has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// Of log lines.
    pub line: i64,
    /// Of receipts.
    pub receipt: i64,
}
