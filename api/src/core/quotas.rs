//! How much accounts use, and whether their plans allow more.

use uuid::Uuid;
use wasmcloud_wire::body::{PlanRequest, Quota, Quotas};
use wasmcloud_wire::limits::USAGE_ACCOUNTS_MAX;
use wasmcloud_wire::{AccountUse, ControlPlaneError, Digest, GONE_AFTER_S, Inspection, Timestamp, UserId};

use super::deploy::Target;
use super::plane::unavailable;
use super::{Core, DAY_MS};
use crate::ApiError;
use crate::store::{Asked, Kept, KeptQuota, OverQuota, StoreError};

const MINUTE_MS: i64 = 60_000;
/// How many days it is remembered what was run.
const USAGE_DAYS: i64 = 32;

impl Core {
    /// Refuses early what the store would refuse when it is about to be added, so that it is not stored first.
    pub(super) async fn check_room(
        &self,
        account: UserId,
        target: &Target,
        digest: &Digest,
        module: &Inspection,
    ) -> Result<(), ApiError> {
        let has = self.store.account_plan(account).await?.ok_or_else(|| no_account(account))?;
        let mut wanted = has.kept;
        if matches!(target, Target::New { .. }) {
            wanted.handlers += 1;
        }
        if has.plan.storage_bytes_max.is_some() && !self.store.account_has_module(account, digest).await? {
            wanted.storage_bytes = wanted.storage_bytes.saturating_add(module.size_bytes);
        }
        has.over(wanted).map_or(Ok(()), |over| Err(over.into()))
    }

    /// What an account has used, and how much of it there may be.
    pub(crate) async fn quotas(&self, account: UserId) -> Result<Quotas, ApiError> {
        let has = self.store.account_plan(account).await?.ok_or_else(|| no_account(account))?;
        let now = Timestamp::now();
        let (day, minute) = (now.0.div_euclid(DAY_MS), now.0.div_euclid(MINUTE_MS));
        let ran = self.store.ran(account, day, minute, alive_since(now)).await?;
        let (plan, Kept { handlers, storage_bytes }) = (has.plan, has.kept);
        let (of_minute, of_day) = (Timestamp((minute + 1) * MINUTE_MS), Timestamp((day + 1) * DAY_MS));
        let quota = |name: &str, used, max, resets_at| Quota { name: name.to_owned(), used, max, resets_at };
        let minute_max = plan.invocations_per_minute_max;
        Ok(Quotas {
            account: has.name,
            quotas: vec![
                quota("handlers", handlers, plan.handlers_max, None),
                quota("storage_bytes", storage_bytes, plan.storage_bytes_max, None),
                quota("invocations_per_minute", ran.minute_invocations, minute_max, Some(of_minute)),
                quota("concurrent", ran.running, plan.concurrent_max, None),
                quota("cpu_ms_per_day", ran.cpu_us / 1_000, plan.cpu_ms_per_day_max, Some(of_day)),
            ],
            plan: plan.name,
            request: self.last_plan_request(account).await?,
        })
    }

    /// The account's open request for a plan, or else its last one.
    async fn last_plan_request(&self, account: UserId) -> Result<Option<PlanRequest>, StoreError> {
        Ok(self.store.plan_requests(Asked::For(account), 1).await?.pop())
    }

    /// Keeps what an executor has run for accounts; what all others have run for them.
    pub(super) async fn keep_usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        if used.len() > USAGE_ACCOUNTS_MAX {
            let refused = format!("{} accounts at once; at most {USAGE_ACCOUNTS_MAX} are taken", used.len());
            return Err(ControlPlaneError::Refused(refused));
        }
        let now = Timestamp::now();
        self.store.keep_usage(executor, &used, now, alive_since(now)).await.map_err(unavailable)
    }

    /// Forgets what was run long ago.
    pub(super) async fn sweep_usage(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.store.sweep_usage(now.0.div_euclid(DAY_MS) - USAGE_DAYS).await
    }
}

/// Since when an executor must have been heard of, so that what it runs counts.
fn alive_since(now: Timestamp) -> Timestamp {
    Timestamp(now.0 - GONE_AFTER_S.cast_signed() * 1_000)
}

fn no_account(account: UserId) -> ApiError {
    ApiError::new(
        404,
        "account_not_found",
        format!("the account {account} is not there any more"),
        "`wasmcloud teams list` shows the teams that you belong to",
    )
}

impl From<OverQuota> for ApiError {
    fn from(over: OverQuota) -> ApiError {
        let OverQuota { account, is_team, plan, quota, max, used, wanted } = over;
        let (message, free) = match quota {
            KeptQuota::Handlers => (
                format!(
                    "the quota `handlers` of {account} is used up: its plan `{plan}` allows {max}, and there are {used}"
                ),
                "delete a handler: wasmcloud delete NAME",
            ),
            KeptQuota::StorageBytes => (
                format!(
                    "the quota `storage_bytes` of {account} does not allow it: its plan `{plan}` allows {max} bytes, \
                     {used} are used, and with this module it would be {wanted}"
                ),
                "delete versions that you do not need: wasmcloud versions NAME --delete N",
            ),
        };
        let team = if is_team { format!(" --team {account}") } else { String::new() };
        let hint = format!("{free}; or ask for a larger plan: wasmcloud plan apply PLAN --reason TEXT{team}");
        ApiError::new(403, "over_quota", message, hint)
    }
}
