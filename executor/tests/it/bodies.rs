//! Request bodies: item 10 of the CGI checklist, and `CONTENT_LENGTH`, however the body came.

use std::collections::BTreeMap;

use wasmcloud_wire::Outcome;

use crate::app::{DOMAIN, TestExecutor};
use crate::wasm::{fixture, prints, prints_then};

async fn with(module: &str) -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture(module)).await;
    app
}

fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: hello.{DOMAIN}\r\n{fields}\r\n{body}")
}

/// The variables that the program sees, by name.
pub fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[tokio::test]
async fn a_body_reaches_the_program_whole_and_then_comes_the_end_of_file() {
    let app = with("echo").await;
    for size in [0, 1, 65_535, 65_536, 65_537, 300_000] {
        let body: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[(i % 3) as usize]).collect();
        let answer = app.post("hello", "/", &body).await;
        assert!(answer.complete && answer.body == body, "{size} bytes");
        let receipt = app.recorded(&answer).await.receipt;
        assert_eq!((receipt.bytes_in, receipt.bytes_out), (u64::from(size), u64::from(size) + 40));
    }
}

#[tokio::test]
async fn what_a_program_does_not_read_is_no_error() {
    let app = with("stdin_partial").await;
    let answer = app.post("hello", "/", b"abcdefgh").await;
    assert_eq!((answer.status, answer.text()), (200, "abcd"));
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!((receipt.outcome, receipt.bytes_in), (Outcome::Ok, 4));
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_body_that_nobody_read() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\nfine")).await;
    let mut client = app.connect().await;
    for _ in 0..3 {
        client.send(post("content-length: 8\r\n", "GET / HT")).await;
        assert_eq!(client.answer(false).await.text(), "fine");
    }
}

#[tokio::test]
async fn content_length_is_there_if_and_only_if_there_is_a_body() {
    let app = with("env").await;
    let answer = app.get("hello", "/").await;
    assert_eq!(variables(answer.text()).get("CONTENT_LENGTH"), None);
    let answer = app.post("hello", "/", b"").await;
    assert_eq!(variables(answer.text())["CONTENT_LENGTH"], "0");
    let answer = app.raw(post("content-length: 5\r\ncontent-type: text/x\r\n", "hello")).await;
    let seen = variables(answer.text());
    assert_eq!((seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]), ("5", "text/x"));
}

#[tokio::test]
async fn a_chunked_body_is_decoded_before_it_is_counted() {
    let body = "5;note=x\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nx-trailer: dropped\r\n\r\n";
    let app = with("env").await;
    let answer = app.raw(post("transfer-encoding: chunked\r\n", body)).await;
    let seen = variables(answer.text());
    assert_eq!(seen["CONTENT_LENGTH"], "12");
    let app = with("echo").await;
    let answer = app.raw(post("transfer-encoding: chunked\r\n", body)).await;
    assert_eq!(answer.text(), "hello, world");
    let answer = app.raw(post("transfer-encoding: chunked\r\n", "0\r\n\r\n")).await;
    assert_eq!((answer.status, answer.text()), (200, ""));
}

#[tokio::test]
async fn a_body_above_10_mib_is_413_before_it_is_read() {
    let app = with("echo").await;
    let answer = app.raw(post("content-length: 10485761\r\n", "")).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (413, "body_too_large"));
    assert!(answer.error().message.contains("10485760"));
    // An invocation that never began has no record: the next one is the first.
    let answer = app.post("hello", "/", b"x").await;
    app.recorded(&answer).await;
    assert_eq!(app.control.see(|state| state.records.len()), 1);
}

#[tokio::test]
async fn a_chunked_body_above_10_mib_is_413_as_soon_as_it_is() {
    let app = with("echo").await;
    let mut client = app.connect().await;
    client.send(post("transfer-encoding: chunked\r\n", "")).await;
    let chunk = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
    for _ in 0..10 {
        client.send(&chunk).await;
    }
    client.send("1\r\nx\r\n").await;
    assert_eq!(client.answer(false).await.status, 413);
}

#[tokio::test]
async fn a_body_of_exactly_10_mib_is_taken() {
    let app = with("stdin_partial").await;
    let answer = app.post("hello", "/", &vec![b'x'; 10 << 20]).await;
    assert_eq!((answer.status, answer.text()), (200, "xxxx"));
}

#[tokio::test]
async fn a_malformed_chunk_is_400_and_no_invocation() {
    let app = with("echo").await;
    let answer = app.raw(post("transfer-encoding: chunked\r\n", "5\r\nhelloX0\r\n\r\n")).await;
    assert_eq!(answer.status, 400);
    assert_eq!(app.executor.running(), 0);
}

#[tokio::test]
async fn a_program_that_answers_without_reading_a_large_body_still_answers() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints_then("A: b\n\nenough", "(call $exit (i32.const 0))")).await;
    let answer = app.post("hello", "/", &vec![0; 3 << 20]).await;
    assert_eq!((answer.text(), app.recorded(&answer).await.receipt.bytes_in), ("enough", 0));
}
