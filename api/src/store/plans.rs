//! What the store is told, and tells, of plans, and of who asks for which.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::body::{Plan, PlanRequest};
use wasmcloud_wire::{Timestamp, UserId};

use super::StoreError;

/// What became of a plan that was to be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPlan {
    /// It was made.
    Made,
    /// It was changed.
    Changed,
    /// It is the one for newcomers, and would not be any more.
    IsDefault,
    /// There are as many plans already as there may be.
    TooMany,
}

/// What became of a plan that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletePlan {
    /// It is gone.
    Deleted,
    /// There is none.
    NotFound,
    /// It is the one for newcomers.
    IsDefault,
    /// So many accounts have it, and so many ask for it.
    InUse {
        /// How many have it.
        accounts: u64,
        /// How many ask for it.
        requests: u64,
    },
}

/// Whose plan requests are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A user's own, and those of teams that the user belongs to.
    By(UserId),
    /// An account's.
    For(UserId),
    /// Everybody's.
    All,
}

/// A plan request to be kept.
#[derive(Clone, Debug)]
pub struct NewPlanRequestRow {
    /// Its id.
    pub id: Uuid,
    /// Which account it is for.
    pub account: UserId,
    /// Who asks.
    pub asked_by: UserId,
    /// The plan that is asked for.
    pub plan: String,
    /// What for.
    pub reason: String,
}

/// What became of a request that was to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskPlan {
    /// It is made; one before it that was open is withdrawn.
    Asked(Box<PlanRequest>),
    /// There is no such plan.
    NoSuchPlan,
    /// The account has it.
    HasIt,
}

/// What became of a request that was to be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecidePlan {
    /// It is decided.
    Decided(Box<PlanRequest>),
    /// There is none.
    NotFound,
    /// It was decided or withdrawn before.
    NotOpen(Box<PlanRequest>),
}

/// What the control plane remembers of plans.
#[async_trait]
pub trait PlanStore: Send + Sync {
    /// All plans, by name.
    async fn plans(&self) -> Result<Vec<Plan>, StoreError>;
    /// Makes or changes a plan, if there are at most `plans_max` then. One is for newcomers, always.
    async fn set_plan(&self, plan: &Plan, plans_max: u64) -> Result<SetPlan, StoreError>;
    /// Deletes a plan that nobody has and nobody asks for, with the requests for it that were decided.
    async fn delete_plan(&self, name: &str) -> Result<DeletePlan, StoreError>;
    /// Gives an account a plan; false if there is no such account, or no such plan.
    async fn give_plan(&self, account: UserId, plan: &str) -> Result<bool, StoreError>;
    /// Asks for a plan. An account's newest 20 requests are kept.
    async fn ask_plan(&self, new: NewPlanRequestRow) -> Result<AskPlan, StoreError>;
    /// The newest requests, at most `limit`: those that are open first.
    async fn plan_requests(&self, asked: Asked, limit: u32) -> Result<Vec<PlanRequest>, StoreError>;
    /// Decides a request; with an approval, the account has the plan from the same moment on.
    async fn decide_plan(
        &self,
        id: Uuid,
        by: UserId,
        approve: bool,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<DecidePlan, StoreError>;
}
