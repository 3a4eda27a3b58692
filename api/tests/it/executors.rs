//! The list of executors.

use uuid::Uuid;
use wasmcloud_api::store::FleetStore as _;
use wasmcloud_wire::body::{ExecutorHealth, ExecutorStatus};
use wasmcloud_wire::{ExecutorReport, GONE_AFTER_S, Timestamp};

use crate::app::TestApp;

/// What an executor says of itself that shares its API's process.
pub fn report(name: &str) -> ExecutorReport {
    ExecutorReport {
        id: Uuid::now_v7(),
        name: name.to_owned(),
        internal_url: None,
        version: "1.2.3".to_owned(),
        started_at: Timestamp::now(),
        running: 3,
        running_max: 256,
        records_waiting: 2,
        records_dropped: 1,
        draining: false,
    }
}

#[tokio::test]
async fn an_operator_sees_every_executor_and_how_it_is() {
    let app = TestApp::start().await;
    let healthy = report("a-healthy");
    app.executor().post("/internal/v1/executors", &healthy).await.done();
    let draining = ExecutorReport { draining: true, ..report("b-draining") };
    app.executor().post("/internal/v1/executors", &draining).await.done();
    let ago = |s: u64| Timestamp(Timestamp::now().0 - s.cast_signed() * 1_000);
    let silent = report("c-silent");
    app.store.see_executor(&silent, ago(GONE_AFTER_S + 5)).await.unwrap();
    let stopped = ExecutorReport { draining: true, ..report("d-stopped") };
    app.store.see_executor(&stopped, ago(GONE_AFTER_S + 5)).await.unwrap();
    app.store.see_executor(&report("e-forgotten"), ago(25 * 3_600)).await.unwrap();

    let admin = app.admin("operator").await;
    let list: Vec<ExecutorStatus> = admin.get("/api/v1/executors").await.good(200);
    let seen: Vec<_> = list.iter().map(|one| (one.report.clone(), one.health)).collect();
    let expected = [
        (healthy, ExecutorHealth::Healthy),
        (draining, ExecutorHealth::Draining),
        (silent, ExecutorHealth::Silent),
        (stopped, ExecutorHealth::Stopped),
    ];
    assert_eq!(seen, expected);
    assert!(list[2].silent_s >= GONE_AFTER_S + 5);
}

#[tokio::test]
async fn an_executor_that_cannot_be_called_is_not_healthy() {
    let app = TestApp::start().await;
    let why = "its certificate has expired".to_owned();
    let unreachable = report("a-unreachable");
    let draining = ExecutorReport { draining: true, ..report("b-draining") };
    for report in [&unreachable, &draining] {
        app.executor().post("/internal/v1/executors", report).await.done();
        app.invoker.troubles.lock().unwrap().insert(report.id, why.clone());
    }
    let list: Vec<ExecutorStatus> = app.admin("operator").await.get("/api/v1/executors").await.good(200);
    let seen: Vec<_> = list.iter().map(|one| (one.health, one.problem.clone())).collect();
    // What is about to stop need not be called.
    let expected = [(ExecutorHealth::Unreachable, Some(why)), (ExecutorHealth::Draining, None)];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn nobody_else_sees_executors() {
    let app = TestApp::start().await;
    app.anonymous().get("/api/v1/executors").await.error(401, "unauthorized");
    app.user("alice").await.get("/api/v1/executors").await.error(403, "admins_only");
    app.executor().get("/api/v1/executors").await.error(401, "unauthorized");
}
