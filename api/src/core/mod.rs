//! The control plane itself: what it knows, and what it does. No HTTP here.

mod access;
mod audit;
mod charts;
mod compare;
mod deploy;
mod dns;
mod env;
mod feed;
mod fleet;
mod follow;
mod host_routes;
mod hosts;
mod hub;
mod logins;
mod moves;
mod needs;
mod oidc;
mod people;
mod plane;
mod plans;
mod policies;
mod quotas;
mod recordings;
mod room;
mod sessions;
mod sweep;
mod teams;
mod tokens;
mod tries;
mod users;
mod verdict;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use wasmcloud_blob::Blobs;
use wasmcloud_wire::{Change, Timestamp};

use crate::auth::{JwtKeys, Passwords};
use crate::key_file::KeyError;
use crate::sealing::SettingsKey;
use crate::store::{SettingCounts, Store, StoreError};
use crate::{ApiError, Config};

pub(crate) use access::{Right, has_scope, is_unlimited};
pub(crate) use audit::{AuditFilter, AuditFormat};
pub use deploy::Target;
pub(crate) use deploy::{handler_body, inspect};
pub(crate) use follow::{Follow, ResumeAt};
pub(crate) use hub::LogHub;
pub(crate) use logins::too_many_tokens;
pub(crate) use people::{WrongPassword, user_not_found};
pub(crate) use plane::DeploymentError;
pub(crate) use plans::{plan_name, plan_not_found};
pub use recordings::{answer_of, replay_call};
pub use sweep::{ORPHAN_GRACE, SweepError, Swept};
pub(crate) use tokens::TOKENS_MAX;
pub use tokens::TokenLimits;
pub(crate) use users::wrong_credentials;

/// How many changes a slow follower may lag behind before it has to ask for everything again.
const CHANGES_MAX: usize = 1_024;
/// How often old records are dropped.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
const DAY_MS: i64 = 86_400_000;

/// The control plane, without the HTTP around it. Executors in the same process use it directly,
/// through [`wasmcloud_wire::ControlPlane`].
pub struct Core {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) config: Config,
    pub(crate) keys: JwtKeys,
    settings_key: SettingsKey,
    pub(crate) passwords: Passwords,
    pub(crate) hub: LogHub,
    /// What `feed.rs` tells those who follow.
    changes: broadcast::Sender<Change>,
    /// Wakes the feed.
    changed: Notify,
    /// The last change that was there when this process began.
    changes_from: i64,
    /// Ends change streams and log followers.
    pub(crate) closing: CancellationToken,
    /// Where people can sign in besides.
    oidc: oidc::Oidc,
    /// Turns to learn a policy.
    learning: Semaphore,
    /// Says who owns a host.
    dns: dns::Dns,
    /// The modules that were told to be missing.
    missing: plane::Missing,
    /// The tokens whose use is being noted.
    used: Arc<tokens::UseNotes>,
}

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// There is no key to sign tokens with, or none for settings.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key of handlers' settings is gone. A new one is not made silently: it could read none of them.
    #[error(
        "the key of handlers' settings, {path}, is missing, and {count} settings are encrypted with it: restore \
         it from a backup. If it is lost for good, make another (`openssl rand -hex 32 > {path}`, then \
         `chmod 600`): handlers with settings then answer 503 until their owners have set them again",
        path = path.display()
    )]
    SettingsKeyMissing {
        /// The key's file.
        path: PathBuf,
        /// How many settings there are.
        count: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A provider of OpenID Connect cannot be asked.
    #[error("a provider of OpenID Connect cannot be used: {0}")]
    Oidc(String),
    /// Passwords cannot be hashed.
    #[error("{0}")]
    Passwords(String),
}

impl Core {
    /// A control plane over a store and a place for modules. Makes the keys at first.
    pub async fn new(
        store: Arc<dyn Store>,
        blobs: Arc<dyn Blobs>,
        config: Config,
    ) -> Result<Arc<Core>, CoreError> {
        let keys = JwtKeys::load_or_create(&config.jwt_key_file)?;
        let settings_key = settings_key(store.as_ref(), &config).await?;
        let changes_from = store.last_change().await?;
        let passwords = Passwords::new().map_err(|error| CoreError::Passwords(error.to_string()))?;
        let dns = dns::Dns::new(&config.dns_servers);
        let oidc = oidc::Oidc::new(&config)?;
        Ok(Arc::new(Core {
            store,
            blobs,
            config,
            keys,
            settings_key,
            passwords,
            hub: LogHub::default(),
            changes: broadcast::Sender::new(CHANGES_MAX),
            changed: Notify::new(),
            changes_from,
            closing: CancellationToken::new(),
            oidc,
            learning: Semaphore::new(policies::LEARNING_AT_ONCE),
            dns,
            missing: plane::Missing::default(),
            used: Arc::default(),
        }))
    }

    /// Whether the store and the place for modules answer.
    pub(crate) async fn ready(&self) -> Result<(), ApiError> {
        self.store.ping().await?;
        Ok(self.blobs.check().await?)
    }

    /// Drops old records, and what has expired, now and every hour, until `shutdown`.
    pub(crate) async fn prune_until(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(PRUNE_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let before = Timestamp(Timestamp::now().0 - i64::from(self.config.record_days) * DAY_MS);
            match self.store.prune(before, self.config.record_rows_max).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "dropped old records"),
                Err(error) => tracing::warn!(%error, "cannot drop old records"),
            }
            self.prune_charts(Timestamp::now()).await;
            self.prune_audit(Timestamp::now()).await;
            self.sweep_tries(Timestamp::now()).await;
            match shutdown.run_until_cancelled(self.recheck_hosts(Timestamp::now())).await {
                None => return,
                Some(Ok(0)) => {}
                Some(Ok(hosts)) => tracing::info!(hosts, "asked DNS again about proven hosts"),
                Some(Err(error)) => tracing::warn!(%error, "cannot check proven hosts"),
            }
            if let Err(error) = self.sweep_usage(Timestamp::now()).await {
                tracing::warn!(%error, "cannot forget what was used long ago");
            }
            match self.store.sweep_expired(Timestamp::now()).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "forgot what has expired"),
                Err(error) => tracing::warn!(%error, "cannot forget what has expired"),
            }
        }
    }
}

/// The key of handlers' settings, which is made where there are no settings yet.
async fn settings_key(store: &dyn Store, config: &Config) -> Result<SettingsKey, CoreError> {
    let path = &config.settings_key_file;
    if !path.exists() {
        let SettingCounts { all: count, .. } = store.count_settings("").await?;
        if count > 0 {
            return Err(CoreError::SettingsKeyMissing { path: path.clone(), count });
        }
    }
    let key = SettingsKey::load_or_create(path)?;
    let SettingCounts { all, of_other_keys } = store.count_settings(key.id()).await?;
    if of_other_keys > 0 {
        tracing::error!(path = %path.display(), key = key.id(), settings = all, unreadable = of_other_keys,
            "settings are encrypted with another key: their handlers answer 503 until the key file is restored \
             from a backup, or their owners have set them again");
    }
    Ok(key)
}
