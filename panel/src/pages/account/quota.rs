//! What an account, a user's or a team's, has used of what it may, and applying for more.

use askama::Template;
use http::Method;
use wasmcloud_wire::body::{NewPlanRequest, Plan, PlanRequest, PlanRequestState, Quota, Quotas};

use crate::api::{Refused, path_with};
use crate::request::Form;
use crate::response::{Response, form_status, page};
use crate::shell::{Shell, Visitor, encoded};
use crate::view;

#[derive(Template)]
#[template(path = "account/quota.html")]
struct QuotaPage<'a> {
    shell: Shell,
    /// The team that it is about, if it is not the user's own account.
    team: Option<&'a str>,
    quotas: Quotas,
    plans: Vec<Plan>,
    plan: &'a str,
    reason: &'a str,
    error: Option<Refused>,
}

/// The user's own.
pub(super) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    quota_page(visitor, None, &Form::default(), None).await
}

/// Applies for another plan.
pub(super) async fn apply(visitor: &Visitor, form: &Form) -> Result<Response, Refused> {
    apply_for(visitor, None, form).await
}

/// A team's.
pub(crate) async fn show_team(visitor: &Visitor, team: &str) -> Result<Response, Refused> {
    quota_page(visitor, Some(team), &Form::default(), None).await
}

/// Applies for another plan for a user, or for a team.
pub(crate) async fn apply_for(
    visitor: &Visitor,
    team: Option<&str>,
    form: &Form,
) -> Result<Response, Refused> {
    let wanted = NewPlanRequest {
        plan: form.get("plan").to_owned(),
        reason: form.get("reason").trim().to_owned(),
        team: team.map(str::to_owned),
    };
    match visitor.api.send::<PlanRequest>(Method::POST, "/api/v1/plan-requests", &wanted).await {
        Ok(request) => {
            let sentence =
                format!("You have applied for {}. Whoever operates this server decides.", request.plan);
            Ok(visitor.done(&address(team), &sentence))
        }
        Err(refused) => quota_page(visitor, team, form, Some(refused)).await,
    }
}

/// The page of a user's or a team's quotas.
fn address(team: Option<&str>) -> String {
    team.map_or_else(|| "/account/quota".to_owned(), |team| format!("/teams/{}/quota", encoded(team)))
}

async fn quota_page(
    visitor: &Visitor,
    team: Option<&str>,
    form: &Form,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let quotas: Quotas = visitor.api.get(&path_with(&["quotas"], &[("team", team)])).await?;
    let mut plans: Vec<Plan> = visitor.api.get("/api/v1/plans").await?;
    plans.retain(|plan| plan.name != quotas.plan);
    let status = form_status(error.as_ref());
    let (plan, reason) = (form.get("plan"), form.get("reason"));
    Ok(page(status, &QuotaPage { shell: visitor.shell("Quotas"), team, quotas, plans, plan, reason, error }))
}

/// A quota's name for people.
fn title(quota: &Quota) -> &str {
    match quota.name.as_str() {
        "handlers" => "Handlers",
        "storage_bytes" => "Storage of modules",
        "invocations_per_minute" => "Invocations this minute",
        "concurrent" => "Invocations at once",
        "cpu_ms_per_day" => "CPU time today",
        other => other,
    }
}

/// An amount of what a quota is about.
fn amount(name: &str, value: &u64) -> String {
    match name {
        "storage_bytes" => view::bytes(*value),
        "cpu_ms_per_day" => view::duration_ms(*value),
        _ => view::count(*value),
    }
}

/// What a plan gives, in a line.
fn gives(plan: &Plan) -> String {
    let part = |name: &str, max: Option<u64>, what: &str| match max {
        Some(max) => format!("{} {what}", amount(name, &max)),
        None => format!("any number of {what}"),
    };
    let sized = |name: &str, max: Option<u64>, what: &str| match max {
        Some(max) => format!("{} {what}", amount(name, &max)),
        None => format!("any {what}"),
    };
    [
        part("handlers", plan.handlers_max, "handlers"),
        sized("storage_bytes", plan.storage_bytes_max, "storage"),
        part("invocations_per_minute", plan.invocations_per_minute_max, "invocations a minute"),
        part("concurrent", plan.concurrent_max, "at once"),
        sized("cpu_ms_per_day", plan.cpu_ms_per_day_max, "CPU time a day"),
    ]
    .join(", ")
}

/// How a request stands, as a sentence, and the look of its badge.
fn standing(request: &PlanRequest) -> (&'static str, &'static str) {
    match request.state {
        PlanRequestState::Open => ("waits for a decision", "warn"),
        PlanRequestState::Approved => ("approved", "ok"),
        PlanRequestState::Refused => ("refused", "bad"),
        PlanRequestState::Withdrawn => ("withdrawn", ""),
    }
}

/// Whether nothing is left.
fn is_used_up(quota: &Quota) -> bool {
    quota.max.is_some_and(|max| quota.used >= max)
}

/// From where on a bar warns: at four fifths.
fn high(max: &u64) -> u64 {
    max.saturating_mul(4) / 5
}
