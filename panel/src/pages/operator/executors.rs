//! `/operator/executors`: what runs handlers, and how it is.

use askama::Template;
use http::StatusCode;
use wasmcloud_wire::body::{ExecutorHealth, ExecutorStatus};

use crate::api::{Refused, path};
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};
use crate::view;

#[derive(Template)]
#[template(path = "operator/executors.html")]
struct Executors {
    shell: Shell,
    tab: &'static str,
    executors: Vec<ExecutorStatus>,
}

/// The list.
pub(crate) async fn list(visitor: &Visitor) -> Result<Response, Refused> {
    let executors = visitor.api.get(&path(&["executors"])).await?;
    Ok(page(StatusCode::OK, &Executors { shell: visitor.shell("Executors"), tab: "executors", executors }))
}

/// How an executor is, in words.
pub(super) fn health(executor: &ExecutorStatus) -> String {
    let for_so_long = view::duration_ms(executor.silent_s.saturating_mul(1000));
    match executor.health {
        ExecutorHealth::Healthy => "healthy".to_owned(),
        ExecutorHealth::Unreachable => "unreachable".to_owned(),
        ExecutorHealth::Draining => "draining".to_owned(),
        ExecutorHealth::Silent => format!("silent for {for_so_long}"),
        ExecutorHealth::Stopped => format!("stopped {for_so_long} ago"),
    }
}

/// The badge's class.
fn class(executor: &ExecutorStatus) -> &'static str {
    match executor.health {
        ExecutorHealth::Healthy => "ok",
        ExecutorHealth::Draining => "warn",
        ExecutorHealth::Unreachable | ExecutorHealth::Silent => "bad",
        ExecutorHealth::Stopped => "",
    }
}
