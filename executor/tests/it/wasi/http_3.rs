//! `wasi:http` 0.3, which an operator has to let in.

use wasmcloud_executor::egress::Egress;
use wasmcloud_wire::{Abi, Invoker as _, Outcome, PrepareError};

use crate::app::{TestExecutor, closed, within};
use crate::far::{Server, allowing, ok, open};
use crate::wasm::wat;

/// A program that has `hello` at 4096 and `no tea` at 4352; `main` begins, and `woken` goes on after each wait.
fn service(main: &str, woken: &str) -> Vec<u8> {
    service_with("", main, woken)
}

fn service_with(data: &str, main: &str, woken: &str) -> Vec<u8> {
    let functions = format!(
        "{data} (data (i32.const 4096) \"hello\") (data (i32.const 4352) \"no tea\")
         (global $turn (mut i32) (i32.const 0))
         (func $main (result i32) {main})
         (func $woken (result i32) (global.set $turn (i32.add (global.get $turn) (i32.const 1))) {woken})"
    );
    wat(&include_str!("service.wat").replace("{main}", &functions))
}

const DONE: &str = "(i32.const 0)";
const HELLO: &str = "(call $write (i32.const 4096) (i32.const 5))";

async fn with(module: &[u8]) -> TestExecutor {
    let app = TestExecutor::start_with_wasi_http_3(closed()).await;
    let deployment = app.deploy("hello", module).await;
    assert_eq!(deployment.abi, Abi::WasiHttp3);
    app
}

#[tokio::test]
async fn a_server_whose_operator_does_not_let_it_in_refuses_it_and_says_what_to_do() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &service(&format!("(call $echo) {DONE}"), DONE)).await;
    match within("an answer", app.executor.prepare(&deployment.digest)).await {
        Err(PrepareError::Refused(refusal)) => {
            assert!(refusal.message.contains("WASI 0.3"), "{refusal}");
            assert!(refusal.hint.contains("0.2"), "{refusal}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_requests_body_streams_through() {
    let app = with(&service(&format!("(call $echo) {DONE}"), DONE)).await;
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
    let answer = app.post("hello", "/", &body).await;
    assert_eq!((answer.status, answer.complete), (200, true));
    assert!(answer.body == body, "{} bytes", answer.body.len());
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!((receipt.outcome, receipt.abi), (Outcome::Ok, Abi::WasiHttp3));
    assert_eq!((receipt.bytes_in, receipt.bytes_out), (3_000_000, 3_000_000));
}

#[tokio::test]
async fn pieces_arrive_while_the_program_goes_on() {
    // Writes, waits, writes once more.
    let woken = format!(
        "(if (i32.eq (global.get $turn) (i32.const 1)) (then (return (call $pause (i64.const 50)))))
         (if (i32.eq (global.get $turn) (i32.const 2)) (then (return {HELLO})))
         (call $finish)"
    );
    let app = with(&service(&format!("(call $answer) {HELLO}"), &woken)).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.text(), answer.complete), (200, "hellohello", true));
    assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_trap_after_the_head_leaves_a_truncated_answer() {
    let app = with(&service(&format!("(call $answer) {HELLO}"), "unreachable")).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.complete), (200, false));
    let receipt = app.recorded(&answer).await.receipt;
    assert!(matches!(receipt.outcome, Outcome::Trap { .. }), "{:?}", receipt.outcome);
    assert_eq!(receipt.status, Some(200));
}

#[tokio::test]
async fn a_program_that_traps_or_gives_no_answer_or_an_error_is_502() {
    for (main, line) in [
        ("unreachable".to_owned(), "unreachable"),
        (DONE.to_owned(), ""),
        (format!("(call $fail (i32.const 4352) (i32.const 6)) {DONE}"), "no tea"),
    ] {
        let app = with(&service(&main, DONE)).await;
        let answer = app.get("hello", "/").await;
        assert_eq!(answer.status, 502, "{main}");
        let recorded = app.recorded(&answer).await;
        assert!(recorded.texts().iter().any(|text| text.contains(line)), "{:?}", recorded.texts());
        assert!(!recorded.receipt.outcome.is_ok());
    }
}

#[tokio::test]
async fn a_program_whose_client_goes_is_cancelled() {
    let app = with(&service(&format!("(call $answer) {HELLO}"), "(call $pause (i64.const 600000))")).await;
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    let head = client.head(false).await;
    assert_eq!(client.part().await.unwrap(), b"hello");
    drop(client);
    let receipt = app.control.recorded(head.invocation()).await.receipt;
    assert_eq!((receipt.outcome, receipt.status), (Outcome::Cancelled, Some(200)));
}

#[tokio::test]
async fn requests_to_others_keep_to_the_policy() {
    let server = Server::start(|_| ok("tea")).await;
    let app = TestExecutor::start_with_wasi_http_3(Egress::new(open()).unwrap()).await;
    let host = server.addr.to_string();
    let (at, bytes) = (8_192 + host.len(), host.len());
    let main = format!("(call $ask (i32.const 8192) (i32.const {bytes}) (i32.const {at}) (i32.const 3))");
    let woken = "(if (i32.eq (global.get $turn) (i32.const 1))
        (then (call $answer) (return (call $number (call $status)))))
        (call $finish)";
    let module = service_with(&format!("(data (i32.const 8192) \"{host}/in\")"), &main, woken);
    for (urls, said) in [(allowing(&[".*"]), "0200"), (allowing(&[]), "1015")] {
        app.deploy_with("hello", &module, |deployment| deployment.urls = urls).await;
        let answer = app.get("hello", "/").await;
        assert_eq!(answer.text(), said);
        let receipt = app.recorded(&answer).await.receipt;
        let denied = if said == "1015" { vec![server.url("/in")] } else { Vec::new() };
        assert_eq!((receipt.outcome, receipt.outbound.denied), (Outcome::Ok, denied));
    }
    assert_eq!(server.requests().len(), 1);
    assert!(server.requests()[0].to_lowercase().contains("wasmcloud-depth: 1\r\n"));
}
