//! `/operator`: what needs attention.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::{Audit, ExecutorHealth, ExecutorStatus, PlanRequest, PlanRequestState, UserInfo};

use super::audit::{Entry, entries};
use super::requests::EVERYBODYS;
use crate::api::{Refused, path, path_with};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

/// How many users are counted.
const USERS_MAX: &str = "100";
/// How many of the latest changes are shown.
const CHANGES: &str = "8";

#[derive(Template)]
#[template(path = "operator/overview.html")]
struct Overview {
    shell: Shell,
    tab: &'static str,
    users: String,
    suspended: usize,
    open_requests: usize,
    executors: usize,
    /// Executors that take no work: their names, and how they are.
    ill: Vec<String>,
    entries: Vec<Entry>,
}

/// The overview.
pub(crate) async fn show(visitor: &Visitor) -> Result<Response, Refused> {
    let api = &visitor.api;
    let users: Vec<UserInfo> = api.get(&path_with(&["users"], &[("limit", Some(USERS_MAX))])).await?;
    let requests: Vec<PlanRequest> = api.get(EVERYBODYS).await?;
    let executors: Vec<ExecutorStatus> = api.get(&path(&["executors"])).await?;
    let changes: Audit = api.get(&path_with(&["audit"], &[("limit", Some(CHANGES))])).await?;
    let more = if users.len().to_string() == USERS_MAX { " or more" } else { "" };
    let overview = Overview {
        shell: visitor.shell("Operator"),
        tab: "overview",
        users: format!("{}{more}", users.len()),
        suspended: users.iter().filter(|user| user.suspension.is_some()).count(),
        open_requests: requests.iter().filter(|one| one.state == PlanRequestState::Open).count(),
        executors: executors.iter().filter(|one| one.health != ExecutorHealth::Stopped).count(),
        ill: executors.iter().filter_map(ill).collect(),
        entries: entries(changes.entries),
    };
    Ok(page(StatusCode::OK, &overview))
}

/// What is wrong with an executor that ought to work.
fn ill(executor: &ExecutorStatus) -> Option<String> {
    let how = super::executors::health(executor);
    let is_well = matches!(executor.health, ExecutorHealth::Healthy | ExecutorHealth::Stopped);
    (!is_well).then(|| format!("{}: {how}", executor.report.name))
}
