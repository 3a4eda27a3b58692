//! `/api/v1/plans`, `/api/v1/plan-requests`

use std::sync::Arc;

use rocket::{State, delete, get, post, put};
use serde_json::json;
use wasmcloud_wire::body::{NewPlanRequest, Plan, PlanDecision, PlanRequest, Role, Scope};

use crate::app::App;
use crate::auth::Caller;
use crate::core::has_scope;
use crate::guards::{Admin, Changing, Json, Query, Whole};
use crate::reply::{Done, Reply, Result};
use crate::store::Asked;
use crate::{ApiError, core};

/// All plans, by name.
#[get("/plans")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Caller) -> Result<Reply<Vec<Plan>>> {
    has_scope(&caller, Scope::Read)?;
    Reply::ok(app.core.store.plans().await?)
}

/// Makes or changes a plan.
#[put("/plans/<name>")]
pub(crate) async fn set(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
    body: Json<Plan>,
) -> Result<Reply<Plan>> {
    changing.noted(admin.0.user.id, "plan.set", name, json!(&body.0)).await?;
    let is_new = app.core.set_plan(name, body.0).await?;
    let plan = app.core.store.plans().await?.into_iter().find(|plan| plan.name == name);
    let plan = plan.ok_or_else(|| core::plan_not_found(name))?;
    if is_new { Reply::created(plan, None) } else { Reply::ok(plan) }
}

/// Deletes a plan that nobody has.
#[delete("/plans/<name>")]
pub(crate) async fn delete(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    name: &str,
) -> Result<Done> {
    changing.noted(admin.0.user.id, "plan.delete", name, json!({})).await?;
    app.core.delete_plan(name).await?;
    Ok(Done)
}

/// Asks for a plan, for the user's own account, or for a team that the user is an owner of.
#[post("/plan-requests")]
pub(crate) async fn ask(
    app: &State<Arc<App>>,
    whole: Whole,
    changing: Changing,
    body: Json<NewPlanRequest>,
) -> Result<Reply<PlanRequest>> {
    let caller = &whole.0;
    let account = app.core.account_for(caller, body.0.team.as_deref(), Role::Owner).await?;
    let new = app.core.may_ask_plan(account, body.0).await?;
    changing.noted(account, "plan.ask", &new.plan, json!({ "reason": &new.reason })).await?;
    Reply::created(app.core.ask_plan(account, caller.user.id, new).await?, None)
}

/// The user's requests for plans, and those for the user's teams; for operators, everybody's too.
#[get("/plan-requests")]
pub(crate) async fn requests(
    app: &State<Arc<App>>,
    whole: Whole,
    query: Query,
) -> Result<Reply<Vec<PlanRequest>>> {
    query.only(&["all"])?;
    let user = &whole.0.user;
    let all = query.parse("all", "true or false")?.unwrap_or(false);
    if all && !user.is_admin {
        return Err(ApiError::new(
            403,
            "admins_only",
            "only whoever operates this server may see everybody's requests",
            "leave `all` out, or `--all` on the command line: your own are shown then",
        ));
    }
    Reply::ok(app.core.plan_requests(if all { Asked::All } else { Asked::By(user.id) }).await?)
}

/// Decides a request for a plan.
#[post("/plan-requests/<id>/decision")]
pub(crate) async fn decide(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    id: &str,
    body: Json<PlanDecision>,
) -> Result<Reply<PlanRequest>> {
    changing.noted(admin.0.user.id, "plan.decide", id, json!(&body.0)).await?;
    Reply::ok(app.core.decide_plan(id, admin.0.user.id, body.0).await?)
}
