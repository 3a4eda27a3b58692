//! Bodies that stream, both ways, and whoever does not wait for their end.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wasmcloud_wire::{LimitName, Outcome};

use super::languages::guest;
use super::proxy::{Proxy, answers, proxy};
use crate::app::{TestExecutor, within};
use crate::client::Client;

const LARGE: u64 = 256 << 20;
/// For what passes a quarter of a gigabyte through code without optimizations.
const LONG: Duration = Duration::from_secs(120);
/// What the kernel takes for either side of a connection, and the pieces on their way.
const BUFFERED_MAX: u64 = 32 << 20;

/// A program that reads the whole request, without looking at it.
fn reads_all() -> Proxy {
    proxy().code(
        "(call $request_consume (global.get $in) (i32.const 128))
         (call $incoming_stream (i32.load (i32.const 132)) (i32.const 128))
         (local.set $n (i32.load (i32.const 132)))
         (loop $more
           (call $stream_skip (local.get $n) (i64.const 65536) (i32.const 128))
           (br_if $more (i32.eqz (i32.load8_u (i32.const 128)))))",
    )
}

/// A program that answers without end.
fn endless() -> Proxy {
    proxy().answer(200).code("(loop $more (call $write (i32.const 4096) (i32.const 4096)) (br $more))")
}

async fn ask(app: &TestExecutor, handler: &str) -> Client {
    let mut client = app.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nhost: {handler}.localhost\r\n\r\n")).await;
    client
}

/// The large body repeats itself after so many bytes.
const PERIOD: u64 = 251;
/// It is sent and compared in pieces of at most this size.
const PIECE: u64 = 256 << 10;

/// Enough of the large body to cut any piece of it out.
fn pattern() -> Vec<u8> {
    (0..PIECE + PERIOD).map(|at| (at % PERIOD) as u8).collect()
}

/// A piece of the large body.
fn piece(pattern: &[u8], at: u64, bytes: u64) -> &[u8] {
    let (at, bytes) = (usize::try_from(at % PERIOD).unwrap(), usize::try_from(bytes).unwrap());
    &pattern[at..at + bytes]
}

#[tokio::test]
async fn a_large_body_streams_through_a_program_in_constant_memory_and_waits_for_its_reader() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &guest("wasi-http-stream"), |deployment| {
        deployment.limits.cpu_ms = 100_000;
        deployment.limits.wall_ms = 120_000;
    })
    .await;
    let (mut read, mut write) = TcpStream::connect(app.addr).await.unwrap().into_split();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: hello.localhost\r\nconnection: close\r\ncontent-length: {LARGE}\r\n\r\n"
    );
    write.write_all(head.as_bytes()).await.unwrap();
    let mut sent = 0;
    let whole = pattern();
    // Nobody reads the answer: sooner or later nothing more is taken.
    while sent < LARGE {
        let piece = piece(&whole, sent, PIECE);
        match tokio::time::timeout(Duration::from_millis(500), write.write_all(piece)).await {
            Ok(written) => written.unwrap(),
            Err(_) => break,
        }
        sent += PIECE;
    }
    assert!(sent < BUFFERED_MAX, "{sent} bytes were taken from a client that does not read");
    // What was written in part is not known: a new connection sends all of it, and reads.
    drop((read, write));
    let (read_all, write_all) = TcpStream::connect(app.addr).await.unwrap().into_split();
    (read, write) = (read_all, write_all);
    let writer = tokio::spawn(async move {
        write.write_all(head.as_bytes()).await.unwrap();
        let mut sent = 0;
        while sent < LARGE {
            write.write_all(piece(&whole, sent, PIECE)).await.unwrap();
            sent += PIECE;
        }
        write
    });
    let mut answer = Chunks { pattern: pattern(), ..Chunks::default() };
    let mut buffer = vec![0; usize::try_from(PIECE).unwrap()];
    let reading = async {
        while !answer.is_over {
            let count = read.read(&mut buffer).await.unwrap();
            assert!(count > 0, "the answer ends after {} bytes", answer.bytes);
            answer.take(&buffer[..count]);
        }
    };
    tokio::time::timeout(LONG, reading).await.expect("the body passes in time");
    assert_eq!(answer.bytes, LARGE);
    let _ = writer.await.unwrap();
    let receipts = app.control.until("two receipts", |state| {
        let receipts: Vec<_> = state.records.iter().filter_map(|record| record.receipt.clone()).collect();
        (receipts.len() == 2).then_some(receipts)
    });
    let receipts = receipts.await;
    assert_eq!(receipts[0].outcome, Outcome::Cancelled);
    assert_eq!(receipts[1].outcome, Outcome::Ok);
    assert_eq!((receipts[1].bytes_in, receipts[1].bytes_out), (LARGE, LARGE));
    assert!(receipts[1].memory_peak_bytes < 4 << 20, "{} bytes", receipts[1].memory_peak_bytes);
}

/// An answer in chunks, whose body is the large one.
#[derive(Default)]
struct Chunks {
    pattern: Vec<u8>,
    head: Vec<u8>,
    has_head: bool,
    /// What is left of the present chunk, and its end.
    left: u64,
    line: Vec<u8>,
    bytes: u64,
    is_over: bool,
}

impl Chunks {
    fn take(&mut self, mut read: &[u8]) {
        while let Some((&first, rest)) = read.split_first() {
            if !self.has_head {
                self.head.push(first);
                self.has_head = self.head.ends_with(b"\r\n\r\n");
                read = rest;
            } else if self.left > 0 {
                let part = &read[..read.len().min(usize::try_from(self.left).unwrap())];
                assert!(part == piece(&self.pattern, self.bytes, part.len() as u64), "at {}", self.bytes);
                self.left -= part.len() as u64;
                self.bytes += part.len() as u64;
                read = &read[part.len()..];
            } else {
                self.line.push(first);
                read = rest;
                if self.line.ends_with(b"\r\n") {
                    let text = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
                    if !text.trim().is_empty() {
                        self.left = u64::from_str_radix(text.trim(), 16).unwrap();
                        self.is_over = self.left == 0;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_readers_hold_no_thread_and_cost_no_memory_of_programs() {
    let app = TestExecutor::start().await;
    for handler in ["one", "two"] {
        app.deploy(handler, &endless().build()).await;
    }
    app.deploy("quick", &answers("quick")).await;
    // It is compiled by now.
    assert_eq!(app.get("quick", "/").await.text(), "quick");
    let mut slow = Vec::new();
    for handler in ["one", "two"] {
        for _ in 0..25 {
            let mut client = ask(&app, handler).await;
            let head = client.head(false).await;
            slow.push((client, head.invocation()));
        }
    }
    assert_eq!(app.executor.running(), 50);
    let answer = tokio::time::timeout(Duration::from_secs(5), app.get("quick", "/")).await;
    assert_eq!(answer.expect("others are not held up").text(), "quick");
    for (client, invocation) in slow {
        drop(client);
        let receipt = app.control.recorded(invocation).await.receipt;
        assert_eq!((receipt.outcome, receipt.status), (Outcome::Cancelled, Some(200)));
        assert_eq!(receipt.memory_peak_bytes, 2 * 65_536);
        assert!(receipt.bytes_out < BUFFERED_MAX, "{} bytes", receipt.bytes_out);
    }
}

#[tokio::test]
async fn a_program_whose_client_goes_is_cancelled_at_once() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &proxy().answer(200).write("begun").pause(600_000).build()).await;
    let mut client = ask(&app, "hello").await;
    let head = client.head(false).await;
    assert_eq!(client.part().await.unwrap(), b"begun");
    assert_eq!(app.executor.running(), 1);
    let gone = std::time::Instant::now();
    drop(client);
    let recorded = app.control.recorded(head.invocation()).await;
    assert_eq!((recorded.receipt.outcome, recorded.receipt.status), (Outcome::Cancelled, Some(200)));
    assert!(gone.elapsed() < Duration::from_secs(5), "{:?}", gone.elapsed());
}

#[tokio::test]
async fn a_client_that_goes_amid_its_own_request_cancels_the_program() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &proxy().answer(200).write("begun").code(&reads_all().into_code()).build()).await;
    let mut client = app.connect().await;
    client.send("POST / HTTP/1.1\r\nhost: hello.localhost\r\ncontent-length: 10\r\n\r\nhello").await;
    let head = client.head(false).await;
    assert_eq!(client.part().await.unwrap(), b"begun");
    drop(client);
    let recorded = app.control.recorded(head.invocation()).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_request_above_the_stream_limit_is_413_and_named() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &reads_all().answer(200).finish().build(), |deployment| {
        deployment.limits.stream_bytes = 100_000;
    })
    .await;
    assert_eq!(app.post("hello", "/", &[b'x'; 100_000]).await.status, 200);
    let answer = app.post("hello", "/", &[b'x'; 100_001]).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (413, "limit"));
    let recorded = app.recorded(&answer).await;
    let Outcome::Limit { limit: LimitName::Request, message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    assert!(message.contains("100000 bytes") && message.contains("stream_bytes"), "{message}");
    recorded.line(message);
}

#[tokio::test]
async fn an_answer_above_the_stream_limit_is_cut_and_named() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &endless().build(), |deployment| deployment.limits.stream_bytes = 100_000).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.complete), (200, false));
    assert!(answer.body.len() <= 100_000, "{} bytes", answer.body.len());
    let recorded = app.recorded(&answer).await;
    let Outcome::Limit { limit: LimitName::Response, message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    assert!(message.contains("100000 bytes") && message.contains("stream_bytes"), "{message}");
    recorded.line(message);
    assert_eq!(recorded.receipt.status, Some(200));
}

#[tokio::test]
async fn a_program_that_never_ends_its_answer_is_cut_at_the_wall_limit() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &proxy().answer(200).write("begun").pause(600_000).build(), |deployment| {
        deployment.limits.wall_ms = 300;
    })
    .await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.text(), answer.complete), ("begun", false));
    let receipt = app.recorded(&answer).await.receipt;
    assert!(
        matches!(receipt.outcome, Outcome::Limit { limit: LimitName::Wall, .. }),
        "{:?}",
        receipt.outcome
    );
    assert_eq!(receipt.status, Some(200));
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &guest("wasi-http-stream")).await;
    let mut client = app.connect().await;
    client.send("GET /events HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    assert_eq!(client.head(false).await.header("content-type"), Some("text/event-stream"));
    for number in 1..=5 {
        assert_eq!(client.part().await.unwrap(), format!("data: {number}\n\n").as_bytes());
        if number == 1 {
            // The others are yet to be made.
            assert_eq!(app.executor.running(), 1);
        }
    }
    assert_eq!(within("the end", client.part()).await, None);
}

#[tokio::test]
async fn trailers_of_a_request_pass_through_a_program() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &guest("wasi-http-stream")).await;
    let mut client = app.connect().await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: hello.localhost\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n",
        )
        .await;
    let answer = client.answer(false).await;
    assert_eq!((answer.text(), answer.complete), ("hello", true));
    assert_eq!(client.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

#[tokio::test]
async fn a_body_that_is_malformed_fails_for_the_program_and_the_log_says_so() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &reads_all().answer(400).write("what?").finish().build()).await;
    let mut client = app.connect().await;
    client
        .send("POST / HTTP/1.1\r\nhost: hello.localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n")
        .await;
    let answer = client.answer(false).await;
    assert_eq!((answer.status, answer.text()), (400, "what?"));
    assert!(client.is_closed().await);
    app.recorded(&answer).await.line("the request's body did not come whole");
}
