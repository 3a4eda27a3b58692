//! Requests that programs send with `wasi:http`: through the same policy and the same limits as everybody's.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use wasmcloud_executor::egress::{Egress, OutboundLimits, Settings};
use wasmcloud_wire::{Deployment, LimitName, Outcome, PolicyMode, UrlPolicy};

use super::languages::guest;
use super::proxy::{Proxy, proxy};
use crate::app::{TestExecutor, within};
use crate::far::{Reply, Server, allowing, ok, open};

/// What `$status` gives for an error, by its number in `wasi:http/types.error-code`.
const IP_PROHIBITED: u32 = 1_004;
const LIMIT_REACHED: u32 = 1_011;
const DENIED: u32 = 1_015;

/// Asks one URL of the server so many times, one after the other, and writes each status.
fn asks(server: &Server, path: &str, times: usize) -> Proxy {
    let mut program = proxy().answer(200);
    let (host, path) = (program.text(server.addr.to_string()), program.text(path));
    for _ in 0..times {
        program = program.number("said", &format!("(call $status (call $ask {host} {path}))"));
    }
    program.finish()
}

fn said(statuses: &[u32]) -> String {
    statuses.iter().map(|status| format!("said{status:04}\n")).collect()
}

/// An executor whose programs may reach this machine.
async fn reaching() -> TestExecutor {
    limited(OutboundLimits::default()).await
}

async fn limited(limits: OutboundLimits) -> TestExecutor {
    TestExecutor::start_reaching(Egress::new(Settings { limits, ..open() }).unwrap()).await
}

fn everything(deployment: &mut Deployment) {
    deployment.urls = allowing(&[".*"]);
}

#[tokio::test]
async fn a_request_that_the_policy_allows_is_sent_and_in_the_receipt() {
    let server = Server::start(|_| ok("tea")).await;
    let app = reaching().await;
    let mut program = proxy().answer(200);
    let (host, path, body) =
        (program.text(server.addr.to_string()), program.text("/in?a=b"), program.text("milk"));
    let program =
        program.number("said", &format!("(call $status (call $post {host} {path} {body}))")).finish();
    app.deploy_with("hello", &program.build(), everything).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[200]));
    let request = server.requests().remove(0).to_lowercase();
    assert!(
        request.starts_with("post /in?a=b http/1.1\r\n") && request.ends_with("\r\n\r\nmilk"),
        "{request}"
    );
    for field in [format!("host: {}", server.addr), "wasmcloud-depth: 1".into(), "content-length: 4".into()] {
        assert!(request.contains(&field), "{field} in {request}");
    }
    let receipt = app.recorded(&answer).await.receipt;
    assert_eq!(receipt.urls, [server.url("/in?a=b")]);
    assert_eq!((receipt.outbound.requests, receipt.outbound.bytes_sent), (1, 4));
}

#[tokio::test]
async fn a_request_that_no_rule_allows_is_denied_and_the_log_has_the_command() {
    let server = Server::start(|_| ok("tea")).await;
    let app = reaching().await;
    app.deploy("hello", &asks(&server, "/a", 2).build()).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[DENIED, DENIED]));
    let recorded = app.recorded(&answer).await;
    let command = format!("wasmcloud policy allow hello '^http://127\\.0\\.0\\.1:{}/a$'", server.port());
    assert!(recorded.line("no rule allows it").text.ends_with(&command), "{:?}", recorded.texts());
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
    assert_eq!(recorded.receipt.outbound.denied, [server.url("/a")]);
    assert_eq!((recorded.receipt.outbound.requests, server.accepted()), (0, 0));
    // What a library makes of it.
    app.deploy("hello", &guest("rust-http")).await;
    let answer = app.get("hello", &format!("/fetch?url={}", server.url("/a"))).await;
    assert_eq!(answer.status, 502);
    assert!(answer.text().to_lowercase().contains("denied"), "{}", answer.text());
}

#[tokio::test]
async fn addresses_of_this_machine_are_refused_whatever_the_policy_allows() {
    let server = Server::start(|_| ok("tea")).await;
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &asks(&server, "/", 1).build(), everything).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[IP_PROHIBITED]));
    app.recorded(&answer).await.line("which programs may not reach");
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_redirect_is_the_programs_own_business() {
    let redirect = b"HTTP/1.1 302 Found\r\nLocation: /new\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Server::start(|_| Reply::Send(redirect.to_vec())).await;
    let app = reaching().await;
    app.deploy_with("hello", &asks(&server, "/old", 1).build(), everything).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[302]));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(app.recorded(&answer).await.receipt.urls, [server.url("/old")]);
}

#[tokio::test]
async fn a_policy_that_ends_programs_ends_them() {
    let server = Server::start(|_| ok("tea")).await;
    let app = reaching().await;
    app.deploy_with("hello", &asks(&server, "/a", 1).build(), |deployment| {
        deployment.urls = UrlPolicy { mode: PolicyMode::End, ..allowing(&["/b$"]) };
    })
    .await;
    let answer = app.get("hello", "/").await;
    let recorded = app.recorded(&answer).await;
    let Outcome::Denied { message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    assert!(message.contains("wasmcloud policy allow hello"), "{message}");
    assert_eq!(server.accepted(), 0);
    assert!(!answer.complete || answer.status == 502, "{answer:?}");
}

#[tokio::test]
async fn a_policy_that_observes_opens_everything_and_records_it() {
    let server = Server::start(|_| ok("tea")).await;
    let app = reaching().await;
    app.deploy_with("hello", &asks(&server, "/a", 1).build(), |deployment| {
        deployment.urls = UrlPolicy { mode: PolicyMode::Observe, ..allowing(&["/b$"]) };
    })
    .await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[200]));
    assert_eq!(app.recorded(&answer).await.receipt.outbound.denied, [server.url("/a")]);
}

#[tokio::test]
async fn an_invocation_has_so_many_requests_and_then_no_more() {
    let server = Server::start(|_| ok("tea")).await;
    let app = limited(OutboundLimits { requests_max: 3, ..OutboundLimits::default() }).await;
    app.deploy_with("hello", &asks(&server, "/", 5).build(), everything).await;
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), said(&[200, 200, 200, LIMIT_REACHED, LIMIT_REACHED]));
    let recorded = app.recorded(&answer).await;
    assert!(
        recorded.texts().iter().any(|text| text.contains("3 outbound requests")),
        "{:?}",
        recorded.texts()
    );
    assert_eq!((recorded.receipt.outbound.requests, server.accepted()), (3, 3));
}

/// A server that keeps its connections, and answers when there is a permit.
struct Patient {
    host: String,
    accepted: Arc<AtomicUsize>,
    asked: Arc<Semaphore>,
    permits: Arc<Semaphore>,
}

impl Patient {
    async fn start(permits: usize) -> Patient {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Patient {
            host: listener.local_addr().unwrap().to_string(),
            accepted: Arc::default(),
            asked: Arc::new(Semaphore::new(0)),
            permits: Arc::new(Semaphore::new(permits)),
        };
        let (accepted, asked, permits) =
            (server.accepted.clone(), server.asked.clone(), server.permits.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer_all(stream, asked.clone(), permits.clone()));
            }
        });
        server
    }
}

async fn answer_all(mut stream: TcpStream, asked: Arc<Semaphore>, permits: Arc<Semaphore>) {
    let mut read = Vec::new();
    while let Ok(count) = stream.read_buf(&mut read).await {
        if count == 0 {
            return;
        }
        if read.ends_with(b"\r\n\r\n") {
            read.clear();
            asked.add_permits(1);
            permits.acquire().await.unwrap().forget();
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn six_requests_are_under_way_at_once_and_the_next_waits() {
    let server = Patient::start(0).await;
    let app = reaching().await;
    let mut program = proxy();
    let (host, path) = (program.text(&server.host), program.text("/"));
    for at in 0..8 {
        let sent = format!("(i32.store (i32.const {}) (call $ask {host} {path}))", 512 + 4 * at);
        program = program.code(&sent);
    }
    program = program.answer(200);
    for at in 0..8 {
        program = program.number("said", &format!("(call $status (i32.load (i32.const {})))", 512 + 4 * at));
    }
    app.deploy_with("hello", &program.finish().build(), everything).await;
    let asking = app.get("hello", "/");
    let watching = async {
        within("six requests come", server.asked.acquire_many(6)).await.unwrap().forget();
        // Two are still to come, and wait.
        assert_eq!(server.asked.available_permits(), 0);
        assert_eq!(server.accepted.load(Ordering::SeqCst), 6);
        server.permits.add_permits(8);
    };
    let (answer, ()) = tokio::join!(asking, watching);
    assert_eq!(answer.text(), said(&[200; 8]));
    assert_eq!(app.recorded(&answer).await.receipt.outbound.requests, 8);
}

#[tokio::test]
async fn a_connection_is_used_again_within_an_invocation_and_by_no_other() {
    let server = Patient::start(100).await;
    let app = reaching().await;
    let mut program = proxy().answer(200);
    let (host, path) = (program.text(&server.host), program.text("/"));
    for _ in 0..3 {
        // A connection is free again a moment after its answer.
        program = program.number("said", &format!("(call $status (call $ask {host} {path}))")).pause(20);
    }
    app.deploy_with("hello", &program.finish().build(), everything).await;
    for invocation in 1..=2 {
        assert_eq!(app.get("hello", "/").await.text(), said(&[200; 3]));
        assert_eq!(server.accepted.load(Ordering::SeqCst), invocation);
    }
}

#[tokio::test]
async fn a_handler_that_calls_itself_is_508_at_depth_five() {
    let app = reaching().await;
    app.deploy_with("hello", &guest("rust-http"), everything).await;
    let own = format!("http://{}/~hello/fetch?url=", app.addr);
    let answer = app.get("hello", &format!("/fetch?url={}", own.repeat(8))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    // The one from the test, and four that came from it; the sixth was none.
    let receipts = app.control.until("the outermost ends", |state| {
        state.recorded(answer.invocation())?;
        Some(state.records.iter().filter(|record| record.receipt.is_some()).count())
    });
    assert_eq!(receipts.await, 5);
}

#[tokio::test]
async fn an_answer_streams_in_and_is_cut_where_it_is_too_large() {
    // The head is there before the body is.
    let stalled = Server::start(|_| Reply::Stall(b"HTTP/1.1 200 OK\r\n\r\npart".to_vec())).await;
    let app = limited(OutboundLimits { response_bytes_max: 100_000, ..OutboundLimits::default() }).await;
    app.deploy_with("hello", &asks(&stalled, "/", 1).build(), everything).await;
    assert_eq!(app.get("hello", "/").await.text(), said(&[200]));
    stalled.left_alone().await;

    let endless = Server::start(|_| Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    app.deploy_with("hello", &guest("rust-http"), everything).await;
    let answer = app.get("hello", &format!("/fetch?url={}", endless.url("/"))).await;
    let recorded = app.recorded(&answer).await;
    recorded.line("is larger than 100000 bytes and was cut there");
    assert_eq!(recorded.receipt.outbound.bytes_received, 100_000);
    endless.left_alone().await;
}

#[tokio::test]
async fn a_request_that_nobody_answers_ends_with_the_programs_time() {
    let server = Server::start(|_| Reply::Stall(Vec::new())).await;
    let app = reaching().await;
    app.deploy_with("hello", &guest("rust-http"), |deployment| {
        everything(deployment);
        deployment.limits.wall_ms = 500;
    })
    .await;
    let answer = app.get("hello", &format!("/fetch?url={}", server.url("/"))).await;
    assert_eq!(answer.status, 504);
    let receipt = app.recorded(&answer).await.receipt;
    assert!(matches!(receipt.outcome, Outcome::Limit { limit: LimitName::Wall, .. }), "{receipt:?}");
    assert_eq!(receipt.urls, [server.url("/")]);
    server.left_alone().await;
}

#[tokio::test]
async fn a_request_that_is_never_finished_is_bounded_in_what_it_holds() {
    let server = Server::start(|_| ok("tea")).await;
    let app = reaching().await;
    let mut program = proxy();
    let (host, path) = (program.text(server.addr.to_string()), program.text("/"));
    // Writes one body without end, and says what became of its request.
    let program = program
        .code(&format!(
            "(local.set $n (call $request (call $fields)))
             (drop (call $set_method (local.get $n) (i32.const 2) (i32.const 0) (i32.const 0)))
             (drop (call $set_scheme (local.get $n) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
             (drop (call $set_authority (local.get $n) (i32.const 1) {host}))
             (drop (call $set_path (local.get $n) (i32.const 1) {path}))
             (call $request_body (local.get $n) (i32.const 128))
             (call $body_write (i32.load (i32.const 132)) (i32.const 144))
             (call $send (local.get $n) (i32.const 0) (i32.const 0) (i32.const 160))
             (loop $more
               (call $stream_write (i32.load (i32.const 148)) (i32.const 4096) (i32.const 4096) (i32.const 192))
               (br_if $more (i32.eqz (i32.load8_u (i32.const 192)))))"
        ))
        .answer(200)
        .number("said", "(call $status (i32.load (i32.const 168)))")
        .finish();
    app.deploy_with("hello", &program.build(), |deployment| {
        everything(deployment);
        deployment.limits.cpu_ms = 20_000;
    })
    .await;
    let answer = app.get("hello", "/").await;
    // `HTTP-request-body-size`.
    assert_eq!(answer.text(), said(&[1_017]));
    app.recorded(&answer).await.line("wait to be sent have more than");
    assert_eq!(server.requests().len(), 0);
}
