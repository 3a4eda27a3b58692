//! Bodies about what an account may use.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, UserName};

/// A plan: `PUT /api/v1/plans/NAME` for operators, one of `GET /api/v1/plans` for every user. A quota that is absent
/// is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name; in a `PUT` it may be left out.
    #[serde(default)]
    pub name: String,
    /// Most handlers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handlers_max: Option<u64>,
    /// Most bytes of modules: each one that a version of a handler refers to counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_bytes_max: Option<u64>,
    /// Most invocations in a minute of UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocations_per_minute_max: Option<u64>,
    /// Most invocations at once, on all executors together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_max: Option<u64>,
    /// Most CPU time in a day of UTC, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms_per_day_max: Option<u64>,
    /// Whether newcomers have it.
    #[serde(default)]
    pub is_default: bool,
}

/// `GET /api/v1/quotas?team=NAME`: what an account has used, and how much of it there may be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Quotas {
    /// The user or the team.
    pub account: UserName,
    /// The plan's name.
    pub plan: String,
    /// One for each quota.
    pub quotas: Vec<Quota>,
    /// What is asked for, or was lately.
    pub request: Option<PlanRequest>,
}

/// One quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// `handlers`, `storage_bytes`, `invocations_per_minute`, `concurrent` or `cpu_ms_per_day`.
    pub name: String,
    /// How much is used.
    pub used: u64,
    /// How much may be; none if absent.
    pub max: Option<u64>,
    /// When counting begins anew, where it does.
    pub resets_at: Option<Timestamp>,
}

/// `POST /api/v1/plan-requests`: asks for a larger plan. An earlier request that is open is withdrawn by it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPlanRequest {
    /// The plan's name.
    pub plan: String,
    /// What for: 1 to 1000 characters.
    pub reason: String,
    /// The team that it is for; the user's own account if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
}

/// One of `GET /api/v1/plan-requests`: the user's own; with `?all=true`, for operators, everybody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRequest {
    /// Its id.
    pub id: Uuid,
    /// Which account it is for.
    pub account: UserName,
    /// Who asks.
    pub asked_by: UserName,
    /// The plan so far.
    pub plan_now: String,
    /// The plan that is asked for.
    pub plan: String,
    /// What for.
    pub reason: String,
    /// How it stands.
    pub state: PlanRequestState,
    /// What the operator says to it.
    pub note: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
}

/// How a request for a plan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanRequestState {
    /// Nobody has decided yet.
    Open,
    /// The account has the plan.
    Approved,
    /// It has not.
    Refused,
    /// Another request, or another decision, came before.
    Withdrawn,
}

/// `POST /api/v1/plan-requests/ID/decision`, for operators.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDecision {
    /// Whether the account gets the plan.
    pub approve: bool,
    /// What the one who asked is told: at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}
