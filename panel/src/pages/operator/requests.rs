//! `/operator/requests`: who wants a larger plan.

use askama::Template;
use http::{Method, StatusCode};
use wasmcloud_wire::body::{PlanDecision, PlanRequest, PlanRequestState};

use crate::api::Refused;
use crate::request::Form;
use crate::response::{Response, page};
use crate::router::not_found;
use crate::shell::{Shell, Visitor};
use crate::view;

/// Where everybody's requests are.
pub(super) const EVERYBODYS: &str = "/api/v1/plan-requests?all=true";

#[derive(Template)]
#[template(path = "operator/requests.html")]
struct Requests {
    shell: Shell,
    tab: &'static str,
    open: Vec<PlanRequest>,
    decided: Vec<PlanRequest>,
    /// The request whose form is not taken, and its note.
    at: String,
    note: String,
    error: Option<Refused>,
}

/// The list: what waits, then what was decided.
pub(crate) async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    filled(visitor, "", "", None).await
}

/// Decides a request.
pub(crate) async fn decide(visitor: &Visitor, id: &str, form: &Form) -> Result<Response, Refused> {
    let approve = form.get("decision") == "approve";
    let decision = PlanDecision { approve, note: form.given("note").map(str::to_owned) };
    let id = id.parse::<uuid::Uuid>().map_err(|_| not_found())?.to_string();
    let to = format!("/api/v1/plan-requests/{id}/decision");
    match visitor.api.send::<PlanRequest>(Method::POST, &to, &decision).await {
        Ok(request) => {
            let sentence = if approve {
                format!("{} has the plan {}.", request.account, request.plan)
            } else {
                format!("The request of {} is refused.", request.account)
            };
            Ok(visitor.done("/operator/requests", &sentence))
        }
        Err(refused) => filled(visitor, &id, form.get("note"), Some(refused)).await,
    }
}

async fn filled(
    visitor: &Visitor,
    at: &str,
    note: &str,
    error: Option<Refused>,
) -> Result<Response, Refused> {
    let all: Vec<PlanRequest> = visitor.api.get(EVERYBODYS).await?;
    let (open, decided) = all.into_iter().partition(|one| one.state == PlanRequestState::Open);
    let status = error.as_ref().map_or(StatusCode::OK, |refused| refused.status);
    let requests = Requests {
        shell: visitor.shell("Requests"),
        tab: "requests",
        open,
        decided,
        at: at.to_owned(),
        note: note.to_owned(),
        error,
    };
    Ok(page(status, &requests))
}

/// The badge's class and word.
fn state(request: &PlanRequest) -> (&'static str, &'static str) {
    match request.state {
        PlanRequestState::Open => ("warn", "open"),
        PlanRequestState::Approved => ("ok", "approved"),
        PlanRequestState::Refused => ("bad", "refused"),
        PlanRequestState::Withdrawn => ("", "withdrawn"),
    }
}
