//! Handlers' own policies: changed, told to executors, and learned from what ran.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmcloud_policy::{LearnError, Learner};
use wasmcloud_wire::{Change, HandlerName, Inspection, Invoker, Limits, Policy, Receipt, Timestamp, UserId};

use super::Core;
use crate::ApiError;
use crate::store::{EditPolicy, HandlerRow};

/// The longest that learning one policy may take, and that another one waits for its turn.
const LEARNING_TIME_MAX: Duration = Duration::from_secs(5);
/// Policies that are learned at once.
pub(super) const LEARNING_AT_ONCE: usize = 1;
/// Receipts that a policy is learned from at most: the newest.
const LEARNED_RECEIPTS_MAX: usize = 20_000;
/// Bytes of URLs in them at most, looked at from the newest back: what one request may cost.
const LEARNED_BYTES_MAX: usize = 64 << 20;
/// Receipts that are in memory at once meanwhile; each may be some hundred KiB.
const RECEIPTS_AT_ONCE: u32 = 50;

impl Core {
    /// What an invocation may use by this policy.
    pub(crate) fn limits_of(&self, policy: &Policy) -> Limits {
        policy.limits(&self.config.limits, &self.config.limits_max)
    }

    /// Changes a handler's policy to what `edit` makes of it; new requests see it when this returns.
    pub(crate) async fn edit_policy(
        &self,
        invoker: &Arc<dyn Invoker>,
        owner: UserId,
        name: HandlerName,
        edit: impl Fn(Policy) -> Policy + Send + Sync,
    ) -> Result<Policy, ApiError> {
        let ceiling = &self.config.limits_max;
        // Rules take their time to be checked, so that is done before the transaction, which finds the same
        // policy there unless somebody else changed it meanwhile.
        let row = self.store.handler(owner, &name).await?;
        let checked = edit(row.ok_or_else(|| ApiError::handler_not_found(name.as_str()))?.policy);
        let (candidate, limits) = (checked.clone(), ceiling.clone());
        tokio::task::spawn_blocking(move || wasmcloud_policy::check(&candidate, &limits))
            .await
            .map_err(ApiError::internal)??;
        let edit = |policy: Policy, live: &Inspection| {
            let memory_bytes = policy.memory_bytes;
            let policy = edit(policy);
            if policy != checked {
                wasmcloud_policy::check(&policy, ceiling)?;
            }
            // A limit that the operator has lowered since does not stand in the way of other changes.
            if policy.memory_bytes != memory_bytes {
                self.room(&policy, live)?;
            }
            Ok(policy)
        };
        match self.store.edit_policy(owner, &name, &edit).await? {
            EditPolicy::Changed(row) => {
                self.announce(invoker, Change::Handler { name }).await;
                Ok(row.policy)
            }
            EditPolicy::Refused(unfit) => Err(self.unfit(&name, "the live version", unfit)),
            EditPolicy::HandlerNotFound => Err(ApiError::handler_not_found(name.as_str())),
        }
    }

    /// The smallest policy that would have allowed what ran since then.
    pub(crate) async fn learned_policy(
        &self,
        handler: HandlerRow,
        since: Option<Timestamp>,
    ) -> Result<Policy, ApiError> {
        let _turn = tokio::time::timeout(LEARNING_TIME_MAX, self.learning.acquire()).await;
        let _turn = _turn.map_err(|_| too_long())?.map_err(ApiError::internal)?;
        let until = Instant::now() + LEARNING_TIME_MAX;
        let mut learner = Learner::new(&handler.policy);
        let since = since.unwrap_or(Timestamp(i64::MIN));
        let (mut seen, mut bytes, mut before) = (0, 0, None);
        while seen < LEARNED_RECEIPTS_MAX && bytes < LEARNED_BYTES_MAX {
            let receipts = self.store.receipts_back(handler.id, since, before, RECEIPTS_AT_ONCE).await?;
            let Some(last) = receipts.last() else { break };
            before = Some(last.position);
            seen += receipts.len();
            let lengths = |receipt: &Receipt| -> usize {
                receipt.urls.iter().chain(&receipt.outbound.denied).map(String::len).sum()
            };
            bytes += receipts.iter().map(|receipt| lengths(&receipt.record)).sum::<usize>();
            // The handler's own rules are asked about each URL: they may take their time, but not everybody's.
            let seeing = tokio::task::spawn_blocking(move || {
                let goes_on = || Instant::now() < until;
                receipts.iter().for_each(|receipt| learner.see_while(&receipt.record, goes_on));
                learner
            });
            learner = seeing.await.map_err(ApiError::internal)?;
            if Instant::now() >= until {
                return Err(too_long());
            }
        }
        learner.policy(&self.config.limits_max).map_err(|error| match error {
            LearnError::NoRuns => nothing_learned(&handler.name),
            LearnError::TooManyOrigins => ApiError::new(
                422,
                "too_many_rules",
                error.to_string(),
                "write a policy of fewer, wider rules by hand: wasmcloud policy set NAME --file POLICY",
            ),
        })
    }
}

fn too_long() -> ApiError {
    ApiError::new(
        422,
        "learning_too_long",
        format!("learning from what ran took longer than {} s", LEARNING_TIME_MAX.as_secs()),
        "ask for a shorter time with `since`, or make the disallow rules simpler",
    )
}

fn nothing_learned(name: &HandlerName) -> ApiError {
    ApiError::new(
        404,
        "nothing_learned",
        format!("no invocation of `{name}` is recorded from that time on"),
        format!(
            "let it open everything (wasmcloud policy set {name} --mode observe), send it requests, then ask again: \
             receipts arrive within a second"
        ),
    )
}
