//! The executor as the API uses it within one process.

use futures::StreamExt;
use wasmcloud_wire::limits::LOCAL_REDIRECTS_MAX;
use wasmcloud_wire::{
    Abi, Digest, Event, InvokeError, Invoker, Outcome, PrepareError, Receipt, Source, Trigger,
};

use crate::app::{TestExecutor, call, within};
use crate::wasm::{fixture, prints, prints_then};

pub async fn events(app: &TestExecutor, call: wasmcloud_wire::Call) -> Vec<Event> {
    let events = within("it begins", app.executor.invoke(call)).await.unwrap();
    within("it ends", events.collect()).await
}

/// The promise of `Event`: at most one head, before every body, and exactly one end, last.
pub fn check_order(events: &[Event]) -> &Receipt {
    let (last, before) = events.split_last().expect("there is an end");
    assert!(!before.iter().any(|event| matches!(event, Event::End { .. })), "{events:?}");
    let heads = before.iter().filter(|event| matches!(event, Event::Head { .. })).count();
    let head = before.iter().position(|event| matches!(event, Event::Head { .. }));
    let body = before.iter().position(|event| matches!(event, Event::Body { .. }));
    assert!(heads <= 1 && (body.is_none() || head < body), "{events:?}");
    let Event::End { receipt } = last else { panic!("{last:?}") };
    receipt
}

fn body(events: &[Event]) -> Vec<u8> {
    let parts = events.iter().filter_map(|event| match event {
        Event::Body { bytes } => Some(bytes.to_vec()),
        _ => None,
    });
    parts.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_module_that_can_run_is_prepared_and_described() {
    let app = TestExecutor::start().await;
    let digest = app.deploy("hello", &fixture("echo")).await.digest;
    let inspection = within("prepared", app.executor.prepare(&digest)).await.unwrap();
    assert_eq!((inspection.abi, inspection.memory_bytes_min), (Abi::Olin, 2 * 65_536));
    let imports: Vec<&str> = inspection.imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(
        imports,
        ["io_get_stdin", "io_get_stdout", "resource_read", "resource_write", "resource_close"]
    );
}

#[tokio::test]
async fn a_module_that_cannot_run_is_refused_and_one_that_cannot_be_had_is_not() {
    let app = TestExecutor::start().await;
    let digest = app.deploy("hello", &fixture("unknown_import")).await.digest;
    match app.executor.prepare(&digest).await {
        Err(PrepareError::Refused(refusal)) => {
            assert_eq!(refusal.code, "unmet_import");
            assert!(refusal.message.contains("file_delete"), "{}", refusal.message);
        }
        other => panic!("{other:?}"),
    }
    let unknown = app.executor.prepare(&Digest::of(b"never stored")).await;
    assert!(matches!(unknown, Err(PrepareError::Unavailable(_))), "{unknown:?}");
    app.control.update(|state| state.is_down = true);
    let down = app.executor.prepare(&Digest::of(b"never stored")).await;
    assert!(matches!(down, Err(PrepareError::Unavailable(_))), "{down:?}");
}

#[tokio::test]
async fn an_invocation_gives_its_head_its_body_and_its_receipt_in_order() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &fixture("headers")).await;
    let call = call(&deployment, "/some/path?q");
    let events = events(&app, call.clone()).await;
    let receipt = check_order(&events);
    let Event::Head { status, headers } = &events[0] else { panic!("{events:?}") };
    assert_eq!(*status, 201);
    for (name, value) in
        [("content-type", "application/json"), ("x-greeting", "hello"), ("content-length", "17")]
    {
        assert!(headers.contains(&(name.to_owned(), value.to_owned())), "{name} in {headers:?}");
    }
    assert_eq!(body(&events), b"{\"created\":true}\n");
    assert_eq!((receipt.invocation, receipt.trigger), (call.invocation, Trigger::Invoke));
    assert_eq!((receipt.path.as_str(), receipt.status), ("/some/path", Some(201)));
    // The control plane gets the same receipt.
    assert_eq!(app.control.recorded(call.invocation).await.receipt, *receipt);
}

#[tokio::test]
async fn log_lines_come_as_they_are_written_and_are_recorded_too() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &fixture("stderr")).await;
    let call = call(&deployment, "/");
    let events = events(&app, call.clone()).await;
    check_order(&events);
    let lines: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Log { line } => Some(line.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(app.control.recorded(call.invocation).await.lines, lines);
}

#[tokio::test]
async fn events_come_while_the_program_still_runs_and_dropping_them_cancels_it() {
    let app = TestExecutor::start().await;
    let module = prints_then(
        "Content-Type: a/b\n\nearly",
        "(call $log (i32.const 6) (i32.const 1043) (i32.const 5))
         (drop (call $flush (local.get $out))) (call $sleep (i32.const 600000))",
    );
    let deployment = app.deploy("hello", &module).await;
    let call = call(&deployment, "/");
    let mut events = app.executor.invoke(call.clone()).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(match within("an event", events.next()).await.unwrap() {
            Event::Head { status, .. } => format!("head {status}"),
            Event::Body { bytes } => format!("body {}", String::from_utf8_lossy(&bytes)),
            Event::Log { line } => format!("log {}", line.text),
            Event::Trailers { fields } => panic!("a CGI answer has no trailers: {fields:?}"),
            Event::End { receipt } => panic!("it ended: {receipt:?}"),
        });
    }
    assert_eq!(kinds, ["log early", "head 200", "body early"]);
    drop(events);
    assert_eq!(app.control.recorded(call.invocation).await.receipt.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_failure_has_no_head_and_its_receipt_says_why() {
    let app = TestExecutor::start().await;
    for (module, kind, status) in [
        ("trap", "trap", 502),
        ("nph", "bad_output", 502),
        ("exit_code_early", "exit", 502),
        ("redirect_loop", "limit", 508),
    ] {
        let deployment = app.deploy(&module.replace('_', "-"), &fixture(module)).await;
        let events = events(&app, call(&deployment, "/")).await;
        let receipt = check_order(&events);
        assert_eq!((receipt.outcome.kind(), receipt.status), (kind, Some(status)), "{module}");
        assert!(!events.iter().any(|event| matches!(event, Event::Head { .. })), "{events:?}");
        let told = events.iter().any(|event| {
            matches!(event, Event::Log { line } if line.source == Source::Platform && line.text == receipt.outcome.to_string())
        });
        assert!(told, "{events:?}");
    }
    assert_eq!(LOCAL_REDIRECTS_MAX, 5);
}

#[tokio::test]
async fn a_slow_reader_misses_nothing_after_the_time_is_over() {
    // Header and body fill the queue to its last place but one; nobody reads until all is over.
    let module = prints_then(
        "Content-Type: a/b\n\n",
        "(loop $more
           (drop (call $write (local.get $out) (i32.const 0) (i32.const 65536)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 7))))",
    );
    let app = TestExecutor::start().await;
    let deployment = app.deploy_with("hello", &module, |deployment| deployment.limits.wall_ms = 300).await;
    let call = call(&deployment, "/");
    let events = app.executor.invoke(call.clone()).await.unwrap();
    let outcome = app.control.recorded(call.invocation).await.receipt.outcome;
    assert_eq!(outcome, Outcome::Ok);
    // Waits for the invocation's thread.
    within("the executor stops", app.executor.stop()).await;
    let events: Vec<Event> = within("the events", events.collect()).await;
    assert_eq!((body(&events).len(), &check_order(&events).outcome), (7 * 65_536, &Outcome::Ok));
}

#[tokio::test]
async fn what_no_program_can_be_asked_is_a_bad_request() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &prints("A: b\n\n")).await;
    for (target, method) in [("/%00", "GET"), ("/%", "GET"), ("*", "GET"), ("/", "NO METHOD"), ("/", "")] {
        let mut call = call(&deployment, target);
        call.request.method = method.to_owned();
        match app.executor.invoke(call).await {
            Err(InvokeError::BadRequest(_)) => {}
            Err(other) => panic!("{method} {target}: {other}"),
            Ok(_) => panic!("{method} {target} was let in"),
        }
    }
}

#[tokio::test]
async fn a_module_that_cannot_be_had_makes_the_invocation_unavailable() {
    let app = TestExecutor::start().await;
    let mut deployment = app.deploy("hello", &prints("A: b\n\n")).await;
    deployment.digest = Digest::of(b"never stored");
    let refused = app.executor.invoke(call(&deployment, "/")).await.err();
    assert!(matches!(refused, Some(InvokeError::Unavailable(_))), "{refused:?}");
}
