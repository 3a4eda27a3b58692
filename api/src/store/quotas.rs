//! What the store is told, and tells, of how much accounts use.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::Plan;
use wasmcloud_wire::{AccountUse, Digest, Timestamp, UserId, UserName};

use super::StoreError;

/// A quota of what the store itself keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptQuota {
    /// Handlers that are not deleted.
    Handlers,
    /// Bytes of the modules that their versions refer to, each once.
    StorageBytes,
}

/// A change that an account's plan does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// The account.
    pub account: UserName,
    /// Whether it is a team.
    pub is_team: bool,
    /// The plan's name.
    pub plan: String,
    /// The quota.
    pub quota: KeptQuota,
    /// How much there may be.
    pub max: u64,
    /// How much there is.
    pub used: u64,
    /// How much there would be.
    pub wanted: u64,
}

/// An account, its plan, and what the store keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPlan {
    /// The account's name.
    pub name: UserName,
    /// Whether it is a team.
    pub is_team: bool,
    /// The plan that it was given, or the one for newcomers.
    pub plan: Plan,
    /// What is kept of it.
    pub kept: Kept,
}

/// How much the store keeps of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Handlers that are not deleted.
    pub handlers: u64,
    /// Bytes of the modules that their versions refer to, each once.
    pub storage_bytes: u64,
}

impl AccountPlan {
    /// The quota that having as much as `wanted` would break, if it is more than there is: less than before is
    /// always allowed.
    pub fn over(&self, wanted: Kept) -> Option<OverQuota> {
        let cases = [
            (KeptQuota::Handlers, self.plan.handlers_max, self.kept.handlers, wanted.handlers),
            (
                KeptQuota::StorageBytes,
                self.plan.storage_bytes_max,
                self.kept.storage_bytes,
                wanted.storage_bytes,
            ),
        ];
        cases.into_iter().find_map(|(quota, max, used, wanted)| {
            let max = max.filter(|max| wanted > *max && wanted > used)?;
            let (account, plan) = (self.name.clone(), self.plan.name.clone());
            Some(OverQuota { account, is_team: self.is_team, plan, quota, max, used, wanted })
        })
    }
}

/// What executors have run for an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// CPU time on the day, in microseconds.
    pub cpu_us: u64,
    /// Invocations that began on the day.
    pub invocations: u64,
    /// Invocations that began in the minute.
    pub minute_invocations: u64,
    /// Invocations that run right now.
    pub running: u64,
}

/// What the control plane remembers of how much accounts use.
#[async_trait]
pub trait QuotaStore: Send + Sync {
    /// An account, its plan, and what is kept of it.
    async fn account_plan(&self, account: UserId) -> Result<Option<AccountPlan>, StoreError>;
    /// Whether a version of one of the account's handlers refers to this module already.
    async fn account_has_module(&self, account: UserId, digest: &Digest) -> Result<bool, StoreError>;
    /// Keeps what an executor has run, and answers for each of these accounts that is there what all others have run
    /// for it on the same day and in the same minute. Sums only grow, in whatever order they are told. What others
    /// run right now is taken from those that were heard of since `alive_since`.
    async fn keep_usage(
        &self,
        executor: Uuid,
        used: &[AccountUse],
        now: Timestamp,
        alive_since: Timestamp,
    ) -> Result<Vec<AccountUse>, StoreError>;
    /// What all executors have run for an account on a day and in a minute.
    async fn ran(
        &self,
        account: UserId,
        day: i64,
        minute: i64,
        alive_since: Timestamp,
    ) -> Result<Ran, StoreError>;
    /// Forgets what was run before this day. Returns how many rows went.
    async fn sweep_usage(&self, before_day: i64) -> Result<u64, StoreError>;
}
