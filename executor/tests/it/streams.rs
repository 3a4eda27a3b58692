//! Answers that are longer than one write, and clients that do not wait for them, for programs of every kind that
//! speaks CGI.

use wasmcloud_wire::{InvocationId, LimitName, Outcome};

use crate::app::{DOMAIN, TestExecutor, within};
use crate::client::Client;
use crate::kinds::{KINDS, Kind};

/// Longer than any test waits.
const SLEEP: &str = "(call $wait (i32.const 600000))";

async fn ask(app: &TestExecutor, kind: Kind) -> Client {
    let mut client = app.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nhost: {}.{DOMAIN}\r\n\r\n", kind.name())).await;
    client
}

fn slow_stream(kind: Kind) -> Vec<u8> {
    kind.prints_then(
        "Content-Type: text/plain\n\npart \n",
        "(loop $more
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (i64.store (i32.const 4096) (i64.const 0x0a3020747261700a))
           (i32.store8 (i32.const 4102) (i32.add (i32.const 48) (local.get $i)))
           (call $put (i32.const 4097) (i32.const 7))
           (call $push)
           (call $wait (i32.const 60))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 4))))",
    )
}

fn endless_output(kind: Kind) -> Vec<u8> {
    let header = "Content-Type: text/plain\n\n";
    kind.prints_then(header, "(loop $more (call $put (i32.const 4096) (i32.const 60000)) (br $more))")
}

/// A program that logs `begun`, sleeps, and answers.
fn sleeps(kind: Kind) -> Vec<u8> {
    let start = format!(
        "(call $err (i32.const 1024) (i32.const 6)) {SLEEP} (call $put (i32.const 1030) (i32.const 10))"
    );
    kind.program("begun\nA: b\n\nslept", &start)
}

#[tokio::test]
async fn what_is_flushed_arrives_while_the_program_still_runs() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let header = "Content-Type: a/b\n\nearly";
        app.deploy(kind.name(), &kind.prints_then(header, &format!("(call $push) {SLEEP}"))).await;
        let mut client = ask(&app, kind).await;
        let head = client.head(false).await;
        assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")), "{kind:?}");
        assert_eq!(client.part().await.unwrap(), b"early", "{kind:?}");
        assert_eq!(app.executor.running(), 1, "{kind:?}");
        drop(client);
        let outcome = app.control.recorded(head.invocation()).await.receipt.outcome;
        assert_eq!(outcome, Outcome::Cancelled, "{kind:?}");
    }
}

#[tokio::test]
async fn a_slow_answer_arrives_whole() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &slow_stream(kind)).await;
        let answer = app.get(kind.name(), "/").await;
        let body = "part \npart 1\npart 2\npart 3\npart 4\n";
        assert_eq!((answer.text(), answer.complete), (body, true), "{kind:?}");
        let receipt = app.recorded(&answer).await.receipt;
        let said = (receipt.outcome, receipt.status, receipt.bytes_out);
        assert_eq!(said, (Outcome::Ok, Some(200), 60), "{kind:?}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_streamed_answer() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &slow_stream(kind)).await;
        let mut client = app.connect().await;
        for _ in 0..2 {
            client.send(format!("GET / HTTP/1.1\r\nhost: {}.{DOMAIN}\r\n\r\n", kind.name())).await;
            assert!(client.answer(false).await.text().ends_with("part 4\n"), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_program_and_is_cut_at_the_wall_limit() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy_with(kind.name(), &endless_output(kind), |deployment| {
            deployment.limits.wall_ms = 600;
            deployment.limits.gas = u64::MAX >> 1;
            deployment.limits.cpu_ms = 30_000;
            deployment.limits.response_bytes = u64::MAX;
        })
        .await;
        let mut client = ask(&app, kind).await;
        let head = client.head(false).await;
        let receipt = app.control.recorded(head.invocation()).await.receipt;
        assert!(
            matches!(receipt.outcome, Outcome::Limit { limit: LimitName::Wall, .. }),
            "{kind:?}: {:?}",
            receipt.outcome
        );
        assert_eq!(receipt.status, Some(200), "{kind:?}");
        // What the kernel takes for a client, and some pieces in the queue; without backpressure it would
        // have been gigabytes.
        assert!(receipt.bytes_out < 32 << 20, "{kind:?}: {} bytes", receipt.bytes_out);
        let mut read = 0;
        while let Some(part) = client.part().await {
            read += part.len();
        }
        assert!(client.is_closed().await, "{kind:?}");
        assert!(read as u64 <= receipt.bytes_out, "{kind:?}");
    }
}

#[tokio::test]
async fn a_client_that_goes_cancels_the_invocation_wherever_that_is() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let endless = kind.prints_then("A: b\n\nx", "(call $push) (loop $more (br $more))");
        for module in [endless_output(kind), endless] {
            app.deploy_with(kind.name(), &module, |deployment| {
                deployment.limits.gas = u64::MAX >> 1;
                deployment.limits.cpu_ms = 30_000;
                deployment.limits.response_bytes = u64::MAX;
            })
            .await;
            let mut client = ask(&app, kind).await;
            let head = client.head(false).await;
            drop(client);
            let recorded = app.control.recorded(head.invocation()).await;
            let said = (recorded.receipt.outcome.clone(), recorded.receipt.status);
            assert_eq!(said, (Outcome::Cancelled, Some(200)), "{kind:?}");
            recorded.line("cancelled: the client went away");
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_before_the_answer_began_cancels_the_invocation() {
    let app = TestExecutor::start().await;
    for (kind, before) in KINDS.into_iter().zip(1..) {
        app.deploy(kind.name(), &sleeps(kind)).await;
        let client = ask(&app, kind).await;
        app.control.logged("begun", before).await;
        drop(client);
        let receipt = app
            .control
            .until("the receipt is recorded", |state| {
                let mut receipts = state.records.iter().filter_map(|record| record.receipt.clone());
                receipts.nth(2 * (before - 1))
            })
            .await;
        assert_eq!(receipt.outcome, Outcome::Cancelled, "{kind:?}");
        assert!(receipt.wall_us < 20_000_000, "{kind:?}");
        assert_eq!(app.executor.running(), 0, "{kind:?}");
        // Nothing of it is left for others.
        app.deploy(kind.name(), &kind.prints("A: b\n\nfine")).await;
        let answer = app.get(kind.name(), "/").await;
        assert_eq!(answer.text(), "fine", "{kind:?}");
        app.recorded(&answer).await;
    }
}

#[tokio::test]
async fn many_clients_that_go_leave_one_receipt_each() {
    let app = TestExecutor::start().await;
    for (kind, number) in KINDS.into_iter().zip(0..) {
        app.deploy(kind.name(), &sleeps(kind)).await;
        for round in 1..=2 {
            let all = number * 20 + round * 10;
            let mut clients = Vec::new();
            for _ in 0..10 {
                clients.push(ask(&app, kind).await);
            }
            app.control.logged("begun", all).await;
            drop(clients);
            let ended = app.control.until("all are recorded", |state| {
                let ended: Vec<InvocationId> = state
                    .records
                    .iter()
                    .filter(|record| record.receipt.is_some())
                    .map(|record| record.invocation)
                    .collect();
                (ended.len() >= all).then_some(ended)
            });
            assert_eq!(within("all are recorded", ended).await.len(), all, "{kind:?}");
        }
    }
}
