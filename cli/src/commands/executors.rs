//! `wasmcloud executors`

use wasmcloud_wire::body::{ExecutorHealth, ExecutorStatus};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{count, one_line, time};

/// Lists the executors, and how they are.
pub async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let executors = client.executors().await?;
    if session.output.json {
        return session.output.document(&executors);
    }
    if executors.is_empty() {
        session.output.note(&format!(
            "no executor was heard of within a day; start one: wasmcloud executor --api {}",
            client.server()
        ));
    }
    let mut table =
        Table::new(&["NAME", "ADDRESS", "HEALTH", "VERSION", "RUNNING", "WAITING", "DROPPED", "SINCE"]);
    let mut problems = Vec::new();
    for executor in executors {
        let health = health(&executor);
        let problem = executor.problem;
        let report = executor.report;
        problems
            .extend(problem.map(|why| format!("the API cannot call {}: {}", report.name, one_line(&why))));
        table.row([
            report.name,
            report.internal_url.unwrap_or_else(|| "within the API".to_owned()),
            health,
            report.version,
            format!("{}/{}", report.running, report.running_max),
            count(report.records_waiting),
            count(report.records_dropped),
            time(report.started_at),
        ]);
    }
    session.output.table(&table)?;
    problems.iter().for_each(|problem| session.output.warn(problem));
    Ok(())
}

fn health(executor: &ExecutorStatus) -> String {
    match executor.health {
        ExecutorHealth::Healthy => "healthy".to_owned(),
        ExecutorHealth::Unreachable => "unreachable".to_owned(),
        ExecutorHealth::Draining => "draining".to_owned(),
        ExecutorHealth::Silent => format!("silent for {} s", executor.silent_s),
        ExecutorHealth::Stopped => format!("stopped {} s ago", executor.silent_s),
    }
}
