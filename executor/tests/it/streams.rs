//! Answers that are longer than one write, and clients that do not wait for them.

use wasmcloud_wire::{InvocationId, LimitName, Outcome};

use crate::app::{TestExecutor, within};
use crate::client::Client;
use crate::wasm::{fixture, prints, prints_then, sleeps};

async fn ask(app: &TestExecutor) -> Client {
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    client
}

#[tokio::test]
async fn what_is_flushed_arrives_while_the_program_still_runs() {
    let app = TestExecutor::start().await;
    let module = prints_then(
        "Content-Type: a/b\n\nearly",
        "(drop (call $flush (local.get $out))) (call $sleep (i32.const 600000))",
    );
    app.deploy("hello", &module).await;
    let mut client = ask(&app).await;
    let head = client.head(false).await;
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")));
    assert_eq!(client.part().await.unwrap(), b"early");
    assert_eq!(app.executor.running(), 1);
    drop(client);
    assert_eq!(app.control.recorded(head.invocation()).await.receipt.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_slow_answer_arrives_whole() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("slow_stream")).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.text(), answer.complete), ("part 1\npart 2\npart 3\npart 4\n", true));
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!((receipt.outcome, receipt.status, receipt.bytes_out), (Outcome::Ok, Some(200), 54));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_streamed_answer() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("slow_stream")).await;
    let mut client = app.connect().await;
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
        assert!(client.answer(false).await.text().ends_with("part 4\n"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_program_and_is_cut_at_the_wall_limit() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &fixture("endless_output"), |deployment| {
        deployment.limits.wall_ms = 400;
        deployment.limits.gas = u64::MAX >> 1;
        deployment.limits.response_bytes = u64::MAX;
    })
    .await;
    let mut client = ask(&app).await;
    let head = client.head(false).await;
    let receipt = app.control.recorded(head.invocation()).await.receipt;
    assert!(
        matches!(receipt.outcome, Outcome::Limit { limit: LimitName::Wall, .. }),
        "{:?}",
        receipt.outcome
    );
    assert_eq!(receipt.status, Some(200));
    // What the kernel takes for a client, and some pieces in the queue; without backpressure it would
    // have been gigabytes.
    assert!(receipt.bytes_out < 32 << 20, "{} bytes", receipt.bytes_out);
    let mut read = 0;
    while let Some(part) = client.part().await {
        read += part.len();
    }
    assert!(client.is_closed().await);
    assert!(read as u64 <= receipt.bytes_out);
}

#[tokio::test]
async fn a_client_that_goes_cancels_the_invocation_wherever_that_is() {
    let endless = prints_then("A: b\n\nx", "(drop (call $flush (local.get $out))) (loop $more (br $more))");
    for module in [fixture("endless_output"), endless] {
        let app = TestExecutor::start().await;
        app.deploy_with("hello", &module, |deployment| {
            deployment.limits.gas = u64::MAX >> 1;
            deployment.limits.response_bytes = u64::MAX;
        })
        .await;
        let mut client = ask(&app).await;
        let head = client.head(false).await;
        drop(client);
        let recorded = app.control.recorded(head.invocation()).await;
        assert_eq!(
            (recorded.receipt.outcome.clone(), recorded.receipt.status),
            (Outcome::Cancelled, Some(200))
        );
        recorded.line("cancelled: the client went away");
    }
}

#[tokio::test]
async fn a_client_that_goes_before_the_answer_began_cancels_the_invocation() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &sleeps()).await;
    let client = ask(&app).await;
    app.control.logged("begun", 1).await;
    drop(client);
    let receipt = app
        .control
        .until("the receipt is recorded", |state| {
            state.records.iter().find_map(|record| record.receipt.clone())
        })
        .await;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert!(receipt.wall_us < 20_000_000);
    assert_eq!(app.executor.running(), 0);
    // Nothing of it is left for others.
    app.deploy("hello", &prints("A: b\n\nfine")).await;
    assert_eq!(app.get("hello", "/").await.text(), "fine");
}

#[tokio::test]
async fn many_clients_that_go_leave_one_receipt_each() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &sleeps()).await;
    for round in 1..=3 {
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(ask(&app).await);
        }
        app.control.logged("begun", round * 10).await;
        drop(clients);
        let ended = app.control.until("all are recorded", |state| {
            let ended: Vec<InvocationId> = state
                .records
                .iter()
                .filter(|record| record.receipt.is_some())
                .map(|record| record.invocation)
                .collect();
            (ended.len() >= round * 10).then_some(ended)
        });
        assert_eq!(within("all are recorded", ended).await.len(), round * 10);
    }
}
