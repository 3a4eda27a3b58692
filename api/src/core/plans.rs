//! Plans: what accounts may use, and who asks for more.

use uuid::Uuid;
use wasmcloud_wire::body::{NewPlanRequest, Plan, PlanDecision, PlanRequest, PlanRequestState};
use wasmcloud_wire::{Timestamp, UserId};

use super::Core;
use crate::ApiError;
use crate::store::{AskPlan, Asked, DecidePlan, DeletePlan, NewPlanRequestRow, SetPlan};

/// Most plans of an installation.
const PLANS_MAX: u64 = 100;
/// Longest name of a plan, in characters.
const NAME_CHARS_MAX: usize = 40;
/// Longest reason of a request, in characters.
const REASON_CHARS_MAX: usize = 1_000;
/// Requests that are made in a minute for one account, whoever makes them.
const ASKS_PER_MINUTE_MAX: u32 = 5;
/// Longest note of a decision, in characters.
const NOTE_CHARS_MAX: usize = 500;
/// How many requests are shown at most.
const REQUESTS_SHOWN: u32 = 200;
/// Largest number of a quota: what every reader of JSON takes.
const QUOTA_MAX: u64 = 1 << 53;
/// The plan without limits, which every installation begins with.
const UNLIMITED: &str = "unlimited";

impl Core {
    /// Gives an account the plan without limits: what the first start does for the operator that it makes.
    pub async fn give_unlimited(&self, account: UserId) -> Result<(), ApiError> {
        match self.store.give_plan(account, UNLIMITED).await? {
            true => Ok(()),
            false => Err(plan_not_found(UNLIMITED)),
        }
    }

    /// Makes or changes a plan; whether it was made.
    pub(crate) async fn set_plan(&self, name: &str, plan: Plan) -> Result<bool, ApiError> {
        let plan = Plan { name: named(name, &plan.name)?, ..plan };
        let quotas = [
            ("handlers_max", plan.handlers_max),
            ("storage_bytes_max", plan.storage_bytes_max),
            ("invocations_per_minute_max", plan.invocations_per_minute_max),
            ("concurrent_max", plan.concurrent_max),
            ("cpu_ms_per_day_max", plan.cpu_ms_per_day_max),
        ];
        if let Some((quota, Some(max))) =
            quotas.into_iter().find(|(_, max)| max.is_some_and(|max| max > QUOTA_MAX))
        {
            return Err(ApiError::invalid(
                format!("`{quota}` is {max}; the most that can be counted is {QUOTA_MAX}"),
                "leave it out if there is to be no limit",
            ));
        }
        let is_new = match self.store.set_plan(&plan, PLANS_MAX).await? {
            SetPlan::Made => true,
            SetPlan::Changed => false,
            SetPlan::IsDefault => return Err(is_default(name)),
            SetPlan::TooMany => {
                return Err(ApiError::new(
                    409,
                    "too_many_plans",
                    format!("there are {PLANS_MAX} plans, which is the most that there may be"),
                    "delete one that nobody has: wasmcloud plan delete NAME",
                ));
            }
        };
        self.changed.notify_one();
        Ok(is_new)
    }

    /// Deletes a plan that nobody has.
    pub(crate) async fn delete_plan(&self, name: &str) -> Result<(), ApiError> {
        match self.store.delete_plan(name).await? {
            DeletePlan::Deleted => Ok(()),
            DeletePlan::NotFound => Err(plan_not_found(name)),
            DeletePlan::IsDefault => Err(is_default(name)),
            DeletePlan::InUse { accounts, requests } => Err(ApiError::new(
                409,
                "plan_in_use",
                in_use(name, accounts, requests),
                "give them another one: wasmcloud plan give ACCOUNT PLAN; and decide the requests: wasmcloud plan \
                 requests --all",
            )),
        }
    }

    /// Refuses what cannot be asked for, and who asks too often.
    pub(crate) async fn may_ask_plan(
        &self,
        account: UserId,
        new: NewPlanRequest,
    ) -> Result<NewPlanRequest, ApiError> {
        let reason = text("reason", &new.reason, REASON_CHARS_MAX)?;
        plan_name(&new.plan)?;
        let key = format!("plan-requests {}", account.0);
        let counted = self.count_try(&key, ASKS_PER_MINUTE_MAX, Timestamp::now()).await?;
        counted.map_err(|wait| {
            let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            ApiError::new(
                429,
                "too_many_requests",
                format!("more than {ASKS_PER_MINUTE_MAX} requests for plans in a minute"),
                format!("wait {seconds} s; the newest request is the one that counts"),
            )
            .retry_after(seconds)
        })?;
        Ok(NewPlanRequest { reason, ..new })
    }

    /// Asks for a plan for an account, once [`Core::may_ask_plan`] has agreed.
    pub(crate) async fn ask_plan(
        &self,
        account: UserId,
        asked_by: UserId,
        NewPlanRequest { plan, reason, .. }: NewPlanRequest,
    ) -> Result<PlanRequest, ApiError> {
        let new = NewPlanRequestRow { id: Uuid::now_v7(), account, asked_by, plan, reason };
        let plan = new.plan.clone();
        match self.store.ask_plan(new).await? {
            AskPlan::Asked(request) => Ok(*request),
            AskPlan::NoSuchPlan => Err(plan_not_found(&plan)),
            AskPlan::HasIt => Err(ApiError::new(
                409,
                "has_plan",
                format!("the account has the plan `{plan}` already"),
                "`wasmcloud plan list` shows the others",
            )),
        }
    }

    /// Requests that a user may see: the user's own, and those for the user's teams; or everybody's.
    pub(crate) async fn plan_requests(&self, asked: Asked) -> Result<Vec<PlanRequest>, ApiError> {
        Ok(self.store.plan_requests(asked, REQUESTS_SHOWN).await?)
    }

    /// Decides a request for a plan.
    pub(crate) async fn decide_plan(
        &self,
        id: &str,
        by: UserId,
        decision: PlanDecision,
    ) -> Result<PlanRequest, ApiError> {
        let note = decision.note.filter(|note| !note.trim().is_empty());
        let note = note.map(|note| text("note", &note, NOTE_CHARS_MAX)).transpose()?;
        let not_found = || {
            ApiError::new(
                404,
                "plan_request_not_found",
                "there is no such request for a plan",
                "`wasmcloud plan requests` lists them",
            )
        };
        let uuid = Uuid::parse_str(id).map_err(|_| not_found())?;
        let now = Timestamp::now();
        match self.store.decide_plan(uuid, by, decision.approve, note.as_deref(), now).await? {
            DecidePlan::Decided(request) => {
                self.changed.notify_one();
                Ok(*request)
            }
            DecidePlan::NotFound => Err(not_found()),
            DecidePlan::NotOpen(request) => Err(ApiError::new(
                409,
                "plan_request_decided",
                format!("this request is {} already", state(request.state)),
                "`wasmcloud plan give ACCOUNT PLAN` changes a plan without one",
            )),
        }
    }
}

fn state(state: PlanRequestState) -> &'static str {
    match state {
        PlanRequestState::Open => "open",
        PlanRequestState::Approved => "approved",
        PlanRequestState::Refused => "refused",
        PlanRequestState::Withdrawn => "withdrawn",
    }
}

/// Refuses what is no name for a plan.
pub(crate) fn plan_name(name: &str) -> Result<(), ApiError> {
    let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if is_name {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    Err(ApiError::new(
        422,
        "invalid_name",
        format!("`{name}` is no name for a plan"),
        format!("use 1 to {NAME_CHARS_MAX} lower-case letters a-z, digits and `-`"),
    ))
}

/// A plan's name, of the address, and of the body if it has one.
fn named(name: &str, in_body: &str) -> Result<String, ApiError> {
    plan_name(name)?;
    if !in_body.is_empty() && in_body != name {
        return Err(ApiError::invalid(
            format!(
                "the body names the plan `{}`, the address `{name}`",
                in_body.chars().take(64).collect::<String>()
            ),
            "leave the name out of the body",
        ));
    }
    Ok(name.to_owned())
}

/// A text of people's: not empty, bounded, without control characters but line ends.
fn text(what: &str, text: &str, chars_max: usize) -> Result<String, ApiError> {
    let text = text.trim();
    let is_good = (1..=chars_max).contains(&text.chars().count())
        && !text.chars().any(|sign| sign.is_control() && sign != '\n');
    if is_good {
        return Ok(text.to_owned());
    }
    Err(ApiError::invalid(
        format!("`{what}` has 1 to {chars_max} characters, and no control characters"),
        "say it in other words",
    ))
}

/// 404 for a plan that is not there.
pub(crate) fn plan_not_found(name: &str) -> ApiError {
    let name: String = name.chars().take(64).collect();
    ApiError::new(
        404,
        "plan_not_found",
        format!("there is no plan `{name}`"),
        "`wasmcloud plan list` shows those that there are",
    )
}

/// Who keeps a plan from being deleted.
fn in_use(name: &str, accounts: u64, requests: u64) -> String {
    let accounts =
        if accounts == 1 { "1 account has".to_owned() } else { format!("{accounts} accounts have") };
    let requests = if requests == 1 { "1 asks".to_owned() } else { format!("{requests} ask") };
    format!("{accounts} the plan `{name}`, and {requests} for it")
}

fn is_default(name: &str) -> ApiError {
    ApiError::new(
        409,
        "plan_is_default",
        format!("`{name}` is the plan for newcomers, and there is always one"),
        "make another one that first: wasmcloud plan set NAME --default",
    )
}
