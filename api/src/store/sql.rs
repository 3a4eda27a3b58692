//! The store in SQL: one set of queries, over SQLite and over PostgreSQL.

mod audit;
mod backend;
mod changes;
mod charts;
mod connect;
mod dump;
mod fleet;
mod handlers;
mod identities;
mod logins;
mod migrate;
mod modules;
mod people;
mod plans;
mod policies;
mod prune;
mod quotas;
mod recordings;
mod records;
mod routes;
mod search;
mod sessions;
mod settings;
mod sweep;
mod teams;
mod tokens;
mod tries;
mod users;
mod value;
mod versions;
mod watched;

use async_trait::async_trait;
use sqlx::{Pool, Postgres, Sqlite};
use uuid::Uuid;
use wasmcloud_wire::body::{Token, User};
use wasmcloud_wire::{
    Digest, HandlerId, HandlerName, LogLine, Policy, Receipt, Record, RouteKey, Timestamp, UserId, UserName,
};

use self::backend::Backend;
pub(crate) use self::dump::newest_migration;
pub use self::migrate::{Migrated, Schema};
use super::{
    AddVersion, CreateHandler, DeploymentRow, EditPolicy, EditSettings, Fits, HandlerRow, HandlerSettings,
    LiveToken, LogQuery, NewHandler, NewModule, NewTokenRow, NewUser, PolicyEdit, Positioned, Positions,
    SettingCounts, SettingsEdit, Store, StoreError, VersionRow,
};

/// The store over one of the databases. Each verb's queries are in the submodule of its noun.
#[derive(Clone, Debug)]
pub struct SqlStore<B: Backend> {
    read: Pool<B>,
    write: Pool<B>,
}

/// The store in one SQLite file.
pub type SqliteStore = SqlStore<Sqlite>;

/// The store in a PostgreSQL database.
pub type PostgresStore = SqlStore<Postgres>;

impl<B: Backend> SqlStore<B> {
    /// Closes every connection, after what they are doing; SQLite then folds its WAL into the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

#[async_trait]
impl<B: Backend> Store for SqlStore<B> {
    async fn create_user(&self, new: NewUser) -> Result<User, StoreError> {
        users::create(&self.write, new).await
    }

    async fn create_invited_user(
        &self,
        new: NewUser,
        code_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, StoreError> {
        users::create_invited(&self.write, new, code_hash, now).await
    }

    async fn user_by_name(&self, name: &UserName) -> Result<Option<(User, String)>, StoreError> {
        users::by_name(&self.read, name).await
    }

    async fn count_users(&self) -> Result<u64, StoreError> {
        users::count(&self.read).await
    }

    async fn create_invitation(
        &self,
        code_hash: &[u8; 32],
        created_by: UserId,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        users::create_invitation(&self.write, code_hash, created_by, expires_at).await
    }

    async fn create_token(
        &self,
        new: NewTokenRow,
        at_most: Option<u32>,
        grounds: &super::Grounds,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        users::create_token(&self.write, &new, at_most, grounds, now).await
    }

    async fn live_token(&self, id: Uuid, now: Timestamp) -> Result<Option<LiveToken>, StoreError> {
        users::live_token(&self.read, id, now).await
    }

    async fn tokens(&self, user: UserId, now: Timestamp) -> Result<Vec<Token>, StoreError> {
        users::tokens(&self.read, user, now).await
    }

    async fn revoke_token(&self, user: UserId, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        users::revoke_token(&self.write, user, id, now).await
    }

    async fn create_handler(&self, new: NewHandler, now: Timestamp) -> Result<CreateHandler, StoreError> {
        handlers::create(&self.write, &new, now).await
    }

    async fn add_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        module: NewModule,
        policy: Option<&Policy>,
        settings: Option<&SettingsEdit<'_>>,
        fits: &Fits<'_>,
    ) -> Result<AddVersion, StoreError> {
        let new = handlers::NewVersion { module: &module, policy, settings, now: Timestamp::now() };
        handlers::add_version(&self.write, owner, name, new, fits).await
    }

    async fn handler(&self, owner: UserId, name: &HandlerName) -> Result<Option<HandlerRow>, StoreError> {
        handlers::find(&self.read, owner, name).await
    }

    async fn handlers(&self, owner: UserId) -> Result<Vec<HandlerRow>, StoreError> {
        handlers::list(&self.read, owner).await
    }

    async fn set_forward_authorization(
        &self,
        owner: UserId,
        name: &HandlerName,
        forward: bool,
    ) -> Result<Option<HandlerRow>, StoreError> {
        handlers::set_forward_authorization(&self.write, owner, name, forward).await
    }

    async fn edit_policy(
        &self,
        owner: UserId,
        name: &HandlerName,
        edit: &PolicyEdit<'_>,
    ) -> Result<EditPolicy, StoreError> {
        policies::edit(&self.write, owner, name, edit).await
    }

    async fn settings(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<HandlerSettings>, StoreError> {
        settings::list(&self.read, owner, name).await
    }

    async fn edit_settings(
        &self,
        owner: UserId,
        name: &HandlerName,
        edit: &SettingsEdit<'_>,
    ) -> Result<EditSettings, StoreError> {
        settings::edit(&self.write, owner, name, edit).await
    }

    async fn count_settings(&self, key_id: &str) -> Result<SettingCounts, StoreError> {
        settings::count(&self.read, key_id).await
    }

    async fn delete_handler(
        &self,
        owner: UserId,
        name: &HandlerName,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        handlers::delete(&self.write, owner, name, now).await
    }

    async fn versions(
        &self,
        owner: UserId,
        name: &HandlerName,
    ) -> Result<Option<Vec<VersionRow>>, StoreError> {
        handlers::versions(&self.read, owner, name).await
    }

    async fn deployment(&self, key: &RouteKey) -> Result<Option<DeploymentRow>, StoreError> {
        handlers::deployment(&self.read, key).await
    }

    async fn module_in_use(&self, digest: &Digest) -> Result<bool, StoreError> {
        handlers::module_in_use(&self.read, digest).await
    }

    async fn record(&self, batch: &[Record]) -> Result<(), StoreError> {
        records::keep(&self.write, batch).await
    }

    async fn log_lines(
        &self,
        handler: HandlerId,
        query: &LogQuery,
    ) -> Result<Vec<Positioned<LogLine>>, StoreError> {
        records::log_lines(&self.read, handler, query).await
    }

    async fn receipts(
        &self,
        handler: HandlerId,
        query: &LogQuery,
    ) -> Result<Vec<Positioned<Receipt>>, StoreError> {
        records::receipts(&self.read, handler, query).await
    }

    async fn receipts_back(
        &self,
        handler: HandlerId,
        since: Timestamp,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Positioned<Receipt>>, StoreError> {
        records::receipts_back(&self.read, handler, since, before, limit).await
    }

    async fn last_positions(&self) -> Result<Positions, StoreError> {
        records::last_positions(&self.read).await
    }

    async fn prune(&self, before: Timestamp, rows_max: u64) -> Result<u64, StoreError> {
        prune::prune(&self.write, before, rows_max).await
    }

    async fn sweep_expired(&self, now: Timestamp) -> Result<u64, StoreError> {
        sweep::sweep(&self.write, now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        backend::read(&self.read, "SELECT 1", &[]).await.map(|_| ())
    }
}
