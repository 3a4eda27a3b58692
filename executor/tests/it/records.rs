//! Receipts and log lines: what they say, and that none is lost.

use std::collections::BTreeMap;

use wasmcloud_wire::{Abi, Level, Outcome, Record, Source, Timestamp, Trigger, VersionNumber};

use crate::app::{TestExecutor, WORKER_ID, within};
use crate::wasm::{fixture, prints, program, sleeps};

#[tokio::test]
async fn a_receipt_says_who_ran_what_for_whom_and_what_it_used() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\nolder")).await;
    let deployment = app.deploy("hello", &fixture("echo")).await;
    let before = Timestamp::now();
    let answer = app.post("hello", "/a%20path?with=a-query", b"hello, world").await;
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!(receipt.invocation, answer.invocation());
    assert_eq!((receipt.handler, receipt.version), (Some(deployment.handler), VersionNumber(2)));
    assert_eq!((receipt.digest, receipt.abi), (deployment.digest, Abi::Olin));
    assert_eq!((receipt.executor.as_str(), receipt.trigger), (WORKER_ID, Trigger::Edge));
    assert_eq!((receipt.method.as_str(), receipt.path.as_str()), ("POST", "/a%20path"));
    assert!((before..=Timestamp::now()).contains(&receipt.started_at));
    assert!(receipt.wall_us > 0 && receipt.gas > 0);
    assert_eq!(receipt.memory_peak_bytes, 2 * 65_536);
    assert_eq!((receipt.bytes_in, receipt.bytes_out), (12, 52));
    assert_eq!((receipt.log_lines, receipt.log_lines_dropped), (0, 0));
    assert_eq!((receipt.status, receipt.outcome), (Some(200), Outcome::Ok));
    assert!(receipt.urls.is_empty());
    let calls = [
        ("io_get_stdin", 1),
        ("io_get_stdout", 1),
        ("resource_close", 2),
        ("resource_read", 2),
        ("resource_write", 2),
    ];
    assert_eq!(receipt.host_calls, BTreeMap::from(calls.map(|(name, count)| (name.to_owned(), count))));
}

#[tokio::test]
async fn the_same_input_costs_the_same_gas_on_every_run() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("globals_canary")).await;
    let mut gas = Vec::new();
    for _ in 0..3 {
        gas.push(app.recorded(&app.get("hello", "/").await).await.receipt.gas);
    }
    assert!(gas[0] > 10_000 && gas.iter().all(|used| *used == gas[0]), "{gas:?}");
    // Another executor, another compilation, the same price.
    let (_, recorded) =
        TestExecutor::start().await.try_out("hello", &fixture("globals_canary"), |_| ()).await;
    assert_eq!(recorded.receipt.gas, gas[0]);
}

#[tokio::test]
async fn a_long_path_is_cut_in_the_receipt() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\n")).await;
    let answer = app.get("hello", &format!("/{}", "x".repeat(3_000))).await;
    assert_eq!(app.recorded(&answer).await.receipt.path.len(), 1_024);
}

#[tokio::test]
async fn log_lines_have_their_place_their_level_and_their_source() {
    let app = TestExecutor::start().await;
    let (answer, recorded) = app.try_out("hello", &fixture("stderr"), |_| ()).await;
    assert_eq!(recorded.receipt.log_lines, 11);
    assert!(recorded.lines.iter().all(|line| line.invocation == answer.invocation()));
    let seqs: Vec<u32> = recorded.lines.iter().map(|line| line.seq).collect();
    assert_eq!(seqs, (0..11).collect::<Vec<u32>>());
    assert!(recorded.lines.is_sorted_by_key(|line| line.at));
    let of = |part: &str| (recorded.line(part).source, recorded.line(part).level);
    assert_eq!(of("first line"), (Source::Stderr, Level::INFO));
    assert_eq!(of("an unfinished line"), (Source::Stderr, Level::INFO));
    assert_eq!(of("an error"), (Source::Log, Level::ERROR));
    assert_eq!(of("a warning"), (Source::Log, Level::WARNING));
    assert_eq!(of("a level without a name"), (Source::Log, Level(4)));
}

#[tokio::test]
async fn lines_of_a_long_run_are_recorded_before_it_ends() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &sleeps()).await;
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    app.control.logged("begun", 1).await;
    assert!(app.control.see(|state| state.records.iter().all(|record| record.receipt.is_none())));
    assert_eq!(app.executor.running(), 1);
    drop(client);
    let recorded = app
        .control
        .until("the receipt is recorded", |state| {
            let invocation = state.records.first()?.invocation;
            state.recorded(invocation)
        })
        .await;
    // Every line once, in order, although they came in two parts.
    assert_eq!(recorded.texts(), ["begun", "cancelled: the client went away"]);
    assert_eq!(recorded.lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(recorded.receipt.log_lines, 2);
}

#[tokio::test]
async fn lines_of_a_program_that_never_rests_are_recorded_before_it_ends_too() {
    let app = TestExecutor::start().await;
    let talks = program(
        "tick",
        "(loop $more
           (call $log (i32.const 6) (i32.const 1024) (i32.const 4))
           (local.set $i (i32.const 1000000))
           (loop $spin (br_if $spin (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
           (br $more))",
    );
    app.deploy_with("hello", &talks, |deployment| deployment.limits.gas = u64::MAX >> 1).await;
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    app.control.logged("tick", 2).await;
    assert!(app.control.see(|state| state.records.iter().all(|record| record.receipt.is_none())));
    drop(client);
    let ended = |record: &Record| record.receipt.is_some();
    app.control.until("it ends", |state| state.records.iter().any(ended).then_some(())).await;
}

#[tokio::test]
async fn a_control_plane_that_fails_for_a_while_loses_nothing() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("stderr")).await;
    app.control.update(|state| state.refuses_records = true);
    let mut invocations = Vec::new();
    for _ in 0..20 {
        invocations.push(app.get("hello", "/").await.invocation());
    }
    app.control.until("records were refused twice", |state| (state.refused >= 2).then_some(())).await;
    assert_eq!(app.control.see(|state| state.records.len()), 0);
    app.control.update(|state| state.refuses_records = false);
    for invocation in invocations {
        assert_eq!(app.control.recorded(invocation).await.lines.len(), 11);
    }
    // Each once.
    assert_eq!(app.control.see(|state| state.records.len()), 20);
}

#[tokio::test]
async fn stopping_hands_every_record_over_first() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\n")).await;
    let mut invocations = Vec::new();
    for _ in 0..20 {
        invocations.push(app.get("hello", "/").await.invocation());
    }
    let control = app.control.clone();
    app.stop().await;
    assert_eq!(control.see(|state| state.records.len()), 20);
    for invocation in invocations {
        assert!(control.see(|state| state.recorded(invocation)).is_some());
    }
}

#[tokio::test]
async fn stopping_waits_for_a_control_plane_that_comes_back() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\n")).await;
    app.control.update(|state| state.refuses_records = true);
    let invocation = app.get("hello", "/").await.invocation();
    let control = app.control.clone();
    let back = async {
        control.until("a record was refused", |state| (state.refused > 0).then_some(())).await;
        control.update(|state| state.refuses_records = false);
    };
    within("it stops", async { tokio::join!(app.stop(), back) }).await;
    assert!(control.see(|state| state.recorded(invocation)).is_some());
}

#[tokio::test]
async fn stopping_waits_for_what_runs() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("sleeper")).await;
    let mut client = app.connect().await;
    client.send("GET /?200 HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    let control = app.control.clone();
    control.until("the module is fetched", |state| (state.fetched > 0).then_some(())).await;
    let (answer, ()) = within("it stops", async { tokio::join!(client.answer(false), app.stop()) }).await;
    assert_eq!((answer.status, answer.text()), (200, "slept\n"));
    assert!(control.see(|state| state.recorded(answer.invocation())).is_some());
}
