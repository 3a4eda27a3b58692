//! How handlers did over time: sums that are kept with their receipts.

use serde_json::json;
use wasmcloud_api::store::{
    CreateHandler, LogQuery, NewHandler, StepCounts, StepSums, StepWalls, Store, Window, wall_bin,
    wall_of_bin,
};
use wasmcloud_wire::body::{Chart, Deployed, Span, Sparkline};
use wasmcloud_wire::{
    ControlPlane as _, HandlerId, InvocationId, Outcome, Receipt, Record, Timestamp, Trigger,
};

use crate::app::{TestApp, module};
use crate::database::{Database, on_both_databases};
use crate::store_story;

on_both_databases!(
    a_batch_that_is_told_twice_counts_once,
    replays_are_no_part_of_a_chart,
    wrong_receipts_do_not_stop_the_sums,
    percentiles_come_out_of_the_store_as_they_are,
    what_no_chart_shows_is_dropped,
);

/// A whole minute.
const START: i64 = 26_666_667;
const MINUTE_MS: i64 = 60_000;

fn window(minutes: u32, steps: u32) -> Window {
    Window { from_minute: START, step_minutes: minutes, steps }
}

async fn store_with_handler(database: &Database) -> (std::sync::Arc<dyn Store>, HandlerId) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(store_story::new_user("ada")).await.unwrap();
    let new: NewHandler = store_story::new_handler(ada.id, "hello");
    let CreateHandler::Created(row) = store.create_handler(new, Timestamp::now()).await.unwrap() else {
        panic!("not created")
    };
    (store, row.id)
}

/// An invocation that began at the `ms`-th millisecond.
fn ran(handler: HandlerId, ms: i64, change: impl FnOnce(&mut Receipt)) -> Record {
    let invocation = InvocationId::new();
    let started_at = Timestamp(START * MINUTE_MS + ms);
    let mut receipt = store_story::records::receipt(handler, invocation, started_at);
    (receipt.outcome, receipt.gas, receipt.cpu_us) = (Outcome::Ok, 100, 7);
    change(&mut receipt);
    Record { handler, invocation, lines: Vec::new(), receipt: Some(receipt), recording: None }
}

async fn a_batch_that_is_told_twice_counts_once(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let batch = vec![
        ran(handler, 0, |receipt| receipt.wall_us = 10),
        ran(handler, 59_999, |receipt| {
            receipt.wall_us = 2_000;
            receipt.trigger = Trigger::Chosen;
            receipt.outcome = Outcome::Exit { status: 1 };
        }),
        ran(handler, 60_000, |receipt| {
            receipt.trigger = Trigger::Invoke;
            receipt.memory_peak_bytes = 1 << 20;
            receipt.status = Some(502);
        }),
        // The client went away: nobody's failure.
        ran(handler, 61_000, |receipt| receipt.outcome = Outcome::Cancelled),
    ];
    let twice: Vec<Record> = batch.iter().chain(&batch).cloned().collect();
    store.record(&twice).await.unwrap();
    store.record(&batch).await.unwrap();
    store.record(&batch[1..2]).await.unwrap();

    let sums = |step, invocations, failures, memory_peak_bytes| StepSums {
        step,
        invocations,
        failures,
        gas: 100 * invocations,
        cpu_us: 7 * invocations,
        memory_peak_bytes,
    };
    let by_minutes = store.chart_sums(handler, window(1, 60)).await.unwrap();
    assert_eq!(by_minutes, [sums(0, 2, 1, 65_536), sums(1, 2, 1, 1 << 20)]);
    let together = store.chart_sums(handler, window(15, 96)).await.unwrap();
    assert_eq!(together, [sums(0, 4, 2, 1 << 20)]);
    assert!(store.chart_sums(handler, window(1, 0)).await.unwrap().is_empty());

    let walls = |step, wall_us, count| StepWalls { step, bin: wall_bin(wall_us), count };
    let by_minutes = store.chart_walls(handler, window(1, 60)).await.unwrap();
    assert_eq!(by_minutes, [walls(0, 10, 1), walls(0, 2_000, 1), walls(1, 1_234, 2)]);

    let counts = store.chart_counts(&[handler, HandlerId::new()], window(1, 2)).await.unwrap();
    let expected = |step| StepCounts { handler, step, invocations: 2, failures: 1 };
    assert!(
        counts.contains(&expected(0)) && counts.contains(&expected(1)) && counts.len() == 2,
        "{counts:?}"
    );
    assert!(store.chart_counts(&[], window(1, 2)).await.unwrap().is_empty());
}

async fn replays_are_no_part_of_a_chart(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let replay = |receipt: &mut Receipt| receipt.trigger = Trigger::Replay;
    store.record(&[ran(handler, 0, replay), ran(HandlerId::new(), 0, |_| {})]).await.unwrap();
    assert!(store.chart_sums(handler, window(1, 60)).await.unwrap().is_empty());
    assert!(store.chart_walls(handler, window(1, 60)).await.unwrap().is_empty());
}

async fn wrong_receipts_do_not_stop_the_sums(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let too_much = |receipt: &mut Receipt| {
        (receipt.gas, receipt.cpu_us, receipt.wall_us) = (u64::MAX, u64::MAX, u64::MAX);
        receipt.memory_peak_bytes = u64::MAX;
    };
    for _ in 0..5 {
        store.record(&[ran(handler, 0, too_much), ran(handler, 0, too_much)]).await.unwrap();
    }
    let sums = store.chart_sums(handler, window(120, 84)).await.unwrap();
    assert_eq!((sums[0].invocations, sums[0].gas), (10, 3 << 48), "a sum beyond 2^49 grows no more");
}

async fn percentiles_come_out_of_the_store_as_they_are(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    // 700 of them, in more bins and more receipts than one statement takes.
    let batch: Vec<Record> =
        (0..700_u64).map(|n| ran(handler, 0, |receipt| receipt.wall_us = n * n * n)).collect();
    store.record(&batch).await.unwrap();
    let walls = store.chart_walls(handler, window(1, 1)).await.unwrap();
    assert_eq!(walls.iter().map(|walls| walls.count).sum::<u64>(), 700);
    assert!(walls.is_sorted_by_key(|walls| walls.bin));
    let mut seen = 0;
    let middle = walls.iter().find(|walls| {
        seen += walls.count;
        seen >= 350
    });
    let (told, exact) = (wall_of_bin(middle.unwrap().bin), 349_u64.pow(3));
    assert!(told.abs_diff(exact) <= exact / 12, "{exact} told as {told}");
}

async fn what_no_chart_shows_is_dropped(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let batch: Vec<Record> = (0..3).map(|minute| ran(handler, minute * MINUTE_MS, |_| {})).collect();
    store.record(&batch).await.unwrap();
    assert_eq!(store.prune_charts(START).await.unwrap(), 0);
    assert_eq!(store.prune_charts(START + 2).await.unwrap(), 4, "two minutes, and a bin of each");
    let left = store.chart_sums(handler, window(1, 60)).await.unwrap();
    assert_eq!(left.iter().map(|sums| sums.step).collect::<Vec<_>>(), [2]);
    // The receipts stay: they have their own time.
    let all = LogQuery { since: None, invocation: None, after: None, limit: 100 };
    assert_eq!(store.receipts(handler, &all).await.unwrap().len(), 3);
}

fn of(deployed: &Deployed) -> Record {
    let mut record = ran(deployed.handler.id, 0, |_| {});
    if let Some(receipt) = &mut record.receipt {
        receipt.started_at = Timestamp::now();
    }
    record
}

#[tokio::test]
async fn a_chart_is_its_owners_until_the_handler_is_deleted() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let hello = alice.has_handler("hello").await;
    let quiet = alice.has_handler("quiet").await;
    bob.create("bobs", module("bobs")).await.good::<Deployed>(201);
    app.core.record(vec![of(&hello), of(&hello)]).await.unwrap();

    for (span, points, step_s) in [(Span::Hour, 60, 60), (Span::Day, 96, 900), (Span::Week, 84, 7_200)] {
        let path = format!("/api/v1/handlers/hello/chart?span={}", span.as_str());
        let chart: Chart = alice.get(&path).await.good(200);
        assert_eq!((chart.span, chart.points.len(), chart.step_s), (span, points, step_s));
        assert_eq!(chart.from.0 % (i64::from(step_s) * 1_000), 0, "whole steps");
        // A minute may have ended since.
        let sum: u64 = chart.points.iter().rev().take(2).map(|point| point.invocations).sum();
        assert_eq!(sum, 2);
        let last = chart.points.iter().rfind(|point| point.invocations > 0).unwrap();
        assert!(last.p50_us.abs_diff(1_234) <= 1_234 / 12 && last.p99_us == last.p50_us, "{last:?}");
    }
    let usual: Chart = alice.get("/api/v1/handlers/quiet/chart").await.good(200);
    assert_eq!(
        (usual.span, usual.points.iter().map(|point| point.invocations).sum::<u64>()),
        (Span::Hour, 0)
    );

    let lines: Vec<Sparkline> = alice.get("/api/v1/charts").await.good(200);
    let names: Vec<&str> = lines.iter().map(|line| line.handler.as_str()).collect();
    assert_eq!(names, ["hello", "quiet"], "bob's is not there");
    assert_eq!(lines[0].invocations.len(), 96);
    assert_eq!(lines[0].invocations.iter().sum::<u64>(), 2);
    assert_eq!(lines[0].failures.iter().sum::<u64>(), 0);
    assert_eq!(lines[1].invocations, [0; 96]);

    bob.get("/api/v1/handlers/hello/chart").await.error(404, "handler_not_found");
    alice.get("/api/v1/handlers/hello/chart?span=year").await.error(422, "invalid");
    alice.get("/api/v1/charts?span=").await.error(422, "invalid");
    alice.get("/api/v1/charts?spin=day").await.error(422, "invalid");
    app.anonymous().get("/api/v1/charts").await.error(401, "unauthorized");

    alice.delete("/api/v1/handlers/hello").await.done();
    alice.get("/api/v1/handlers/hello/chart").await.error(404, "handler_not_found");
    let lines: Vec<Sparkline> = alice.get("/api/v1/charts?span=hour").await.good(200);
    assert_eq!(json!(lines.iter().map(|line| &line.handler).collect::<Vec<_>>()), json!(["quiet"]));
    // Another handler of that name begins with nothing.
    alice.has_handler("hello").await;
    let chart: Chart = alice.get("/api/v1/handlers/hello/chart").await.good(200);
    assert!(chart.points.iter().all(|point| point.invocations == 0));
    drop(quiet);
}
