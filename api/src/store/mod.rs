//! What the control plane remembers: users, tokens, handlers, versions, records.
//!
//! One verb, one transaction. Lookups return `Option`; ownership is part of every query, so that
//! another user's thing is simply not found. The store never sees HTTP.

mod audit;
mod changes;
mod charts;
mod dump;
mod error;
mod fit;
mod fleet;
mod handlers;
mod identities;
mod logins;
mod modules;
mod people;
mod plans;
mod quotas;
mod recordings;
mod records;
mod routes;
mod sessions;
mod settings;
mod sql;
mod teams;
mod tokens;
mod tries;
mod users;
mod versions;

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{Token, User};
use wasmcloud_wire::{
    Digest, HandlerId, HandlerName, LogLine, Policy, Receipt, Record, RouteKey, Timestamp, UserId, UserName,
};

pub(crate) use audit::audit_detail;
pub use audit::{AuditDropped, AuditMore, AuditPage, AuditScope, AuditStore, NewAuditRow};
pub use changes::{ChangeStore, ChangeWatch};
pub use charts::{ChartStore, StepCounts, StepSums, StepWalls, Window, wall_bin, wall_of_bin};
pub use dump::{Cell, Column, Dump, DumpStore, Kind, LEFT_OUT, Restore, Row, TABLES, Table};
pub use error::{Refused, StoreError};
pub use fit::{Fits, NoRoom, PolicyEdit, Unfit};
pub use fleet::FleetStore;
pub use handlers::{
    AddVersion, CreateHandler, DeploymentRow, EditPolicy, HandlerRow, NewHandler, NewModule, VersionRow,
};
pub use identities::{IdentityStore, Known, Linked, NewIdentity, NewTicket, Registered, Ticket, Unlinked};
pub use logins::{LoginAsked, LoginRoom, LoginStore, NewLoginRow, PendingRow, Polled};
pub use modules::{Claim, ModuleStore, Subject};
pub use people::{Changed, Keep, KeepTokens, PeopleStore};
pub use plans::{AskPlan, Asked, DecidePlan, DeletePlan, NewPlanRequestRow, PlanStore, SetPlan};
pub use quotas::{AccountPlan, Kept, KeptQuota, OverQuota, QuotaStore, Ran};
pub use recordings::RecordingStore;
pub use records::{
    FoundLines, LineFilter, LineSearch, LogQuery, Positioned, Positions, ReceiptSearch, SearchStore,
};
pub use routes::{
    AddHost, AddRoute, HostRow, NewHostRow, NewRouteRow, ProveHost, RemoveHost, RouteLimits, RouteRow,
    RouteStore,
};
pub use sessions::{Grounds, LiveSession, NewSessionRow, SessionStore};
pub use settings::{
    EditSettings, HandlerSettings, SealedSetting, SettingChanges, SettingCounts, SettingRow, SettingsEdit,
};
pub(crate) use sql::newest_migration;
pub use sql::{Migrated, PostgresStore, Schema, SqliteStore};
pub use teams::{
    AcceptOffer, AccountRow, CreateTeam, DeleteTeam, FoundHandler, NewTeamRow, OfferRow, RemoveMember,
    SetMemberResult, TeamLimits, TeamRow, TeamStore, TransferHandler,
};
pub use tokens::TokenStore;
pub use tries::{TryStore, TryWindow};
pub use users::{LiveToken, NewTokenRow, NewUser};
pub use versions::{
    AddPreview, DeleteVersion, Move, MoveResult, Needed, Newness, TakeBack, Tally, VersionStore,
    WatchedVersion, is_failure, program_failed,
};

/// Everything that the control plane remembers.
#[async_trait]
pub trait Store:
    AuditStore
    + ChangeStore
    + ChartStore
    + DumpStore
    + FleetStore
    + IdentityStore
    + LoginStore
    + ModuleStore
    + PlanStore
    + QuotaStore
    + PeopleStore
    + RecordingStore
    + RouteStore
    + SessionStore
    + SearchStore
    + TeamStore
    + TryStore
    + TokenStore
    + VersionStore
    + Send
    + Sync
{
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
    /// A user and the user's password hash (a PHC string). Teams are no users.
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
    /// Keeps a token's id, so that the token is live. With `at_most`, as many of the user's live tokens that are called the
    /// same as make that many with it go on, those that were used last. False if the grounds do not hold any more.
    async fn create_token(
        &self,
        new: NewTokenRow,
        at_most: Option<u32>,
        grounds: &Grounds,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
    /// What a token is good for that is neither revoked nor expired.
    async fn live_token(&self, id: Uuid, now: Timestamp) -> Result<Option<LiveToken>, StoreError>;
    /// A user's live tokens, newest first. `current` is false in each.
    async fn tokens(&self, user: UserId, now: Timestamp) -> Result<Vec<Token>, StoreError>;
    /// Revokes a user's token; false if the user has no such live token.
    async fn revoke_token(&self, user: UserId, id: Uuid, now: Timestamp) -> Result<bool, StoreError>;

    // Handlers and versions.

    /// Adds a handler with its version 1, live.
    async fn create_handler(&self, new: NewHandler, now: Timestamp) -> Result<CreateHandler, StoreError>;
    /// Adds a version and makes it live, if its module `fits` the handler's policy and settings; with a policy
    /// or an edit of the settings, the handler has those from the same moment on.
    async fn add_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        module: NewModule,
        policy: Option<&Policy>,
        settings: Option<&SettingsEdit<'_>>,
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
    /// A handler's settings, by name.
    async fn settings(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<HandlerSettings>, StoreError>;
    /// Changes a handler's settings as `edit` says; two changes at once happen one after the other.
    async fn edit_settings(
        &self,
        owner: UserId,
        name: &HandlerName,
        edit: &SettingsEdit<'_>,
    ) -> Result<EditSettings, StoreError>;
    /// How many settings there are, and how many of them are encrypted with another key than this one.
    async fn count_settings(&self, key_id: &str) -> Result<SettingCounts, StoreError>;
    /// Deletes a handler and its settings; its name is held for its owner. False if there is none.
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
    /// lines, as many receipts and a hundredth as many recordings are left. Returns how many rows went.
    ///
    /// The one verb that is many transactions: it goes in bites, so that `record` gets its turn.
    async fn prune(&self, before: Timestamp, rows_max: u64) -> Result<u64, StoreError>;
    /// Forgets tokens that are expired or revoked, invitations, sessions, tickets and logins that are expired, and
    /// changes that every follower has read. Returns how many rows went.
    async fn sweep_expired(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
