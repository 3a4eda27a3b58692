//! What is asked of the API about quotas and plans.

use reqwest::Method;
use uuid::Uuid;
use wasmcloud_wire::body::{NewPlanRequest, Plan, PlanDecision, PlanRequest, Quotas, UserPatch};
use wasmcloud_wire::{HandlerName, UserName, VersionNumber};

use super::Client;
use crate::failure::Failure;

impl Client {
    /// What an account uses, and how much it may: the user's own, or a team's.
    pub async fn quotas(&self, team: Option<&UserName>) -> Result<Quotas, Failure> {
        let query: Vec<_> = team.map(|team| ("team", team.to_string())).into_iter().collect();
        self.fetch(self.request(Method::GET, "/quotas", &query)).await
    }

    /// All plans.
    pub async fn plans(&self) -> Result<Vec<Plan>, Failure> {
        self.fetch(self.get("/plans")).await
    }

    /// Makes or changes a plan.
    pub async fn set_plan(&self, plan: &Plan) -> Result<Plan, Failure> {
        self.fetch(self.request(Method::PUT, &format!("/plans/{}", plan.name), &[]).json(plan)).await
    }

    /// Deletes a plan.
    pub async fn delete_plan(&self, name: &str) -> Result<(), Failure> {
        self.done(self.request(Method::DELETE, &format!("/plans/{name}"), &[])).await
    }

    /// Asks for a plan.
    pub async fn ask_plan(&self, request: &NewPlanRequest) -> Result<PlanRequest, Failure> {
        self.fetch(self.post("/plan-requests").json(request)).await
    }

    /// The user's requests for plans, or everybody's.
    pub async fn plan_requests(&self, all: bool) -> Result<Vec<PlanRequest>, Failure> {
        let query: &[_] = if all { &[("all", "true".to_owned())] } else { &[] };
        self.fetch(self.request(Method::GET, "/plan-requests", query)).await
    }

    /// Decides a request for a plan.
    pub async fn decide_plan(&self, id: Uuid, decision: &PlanDecision) -> Result<PlanRequest, Failure> {
        self.fetch(self.post(&format!("/plan-requests/{id}/decision")).json(decision)).await
    }

    /// Gives an account a plan.
    pub async fn give_plan(&self, account: &UserName, plan: String) -> Result<serde_json::Value, Failure> {
        let patch = UserPatch { plan: Some(plan), ..UserPatch::default() };
        self.fetch(self.request(Method::PATCH, &format!("/users/{account}"), &[]).json(&patch)).await
    }

    /// Deletes a version.
    pub async fn delete_version(&self, name: &HandlerName, version: VersionNumber) -> Result<(), Failure> {
        let path = format!("/handlers/{name}/versions/{version}");
        self.done(self.request(Method::DELETE, &path, &[])).await
    }
}
