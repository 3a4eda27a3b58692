//! The control plane of another process: the same executor, with HTTP in between.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_executor::RemoteControlPlane;
use wasmcloud_listener::{Body, ResponseBody, serve};
use wasmcloud_plane::{API, ServiceKeys, ServiceToken, Verifier};
use wasmcloud_wire::{
    AccountUse, Change, ControlPlane, ControlPlaneError, Digest, ExecutorReport, Record, UsageReport, UserId,
};

use crate::app::{TestExecutor, WORKER_ID, within};
use crate::control::Control;
use crate::wasm::{fixture, prints};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Offers a control plane as docs/ARCHITECTURE.md says an API does.
async fn offer(control: Control) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let verifier = Arc::new(Verifier::new(keys(TOKEN)));
    let service = move |request: Request<Body>, _| {
        let (control, verifier) = (control.clone(), verifier.clone());
        async move { answer(&control, &verifier, request).await }
    };
    tokio::spawn(serve(listener, None, Default::default(), CancellationToken::new(), service));
    addr
}

async fn answer(control: &Control, verifier: &Verifier, request: Request<Body>) -> Response<ResponseBody> {
    let (parts, body) = request.into_parts();
    let for_api = |audience: &str| (audience == API).then_some(0);
    let Ok(signed) = verifier.verify(&parts.method, &parts.uri, &parts.headers, for_api) else {
        return status(StatusCode::UNAUTHORIZED);
    };
    let body = body.collect(1 << 20).await.unwrap();
    signed.check_body(&body).unwrap();
    let path = parts.uri.path().strip_prefix("/internal/v1/").unwrap().to_owned();
    let down = |_: ControlPlaneError| status(StatusCode::SERVICE_UNAVAILABLE);
    let done = match path.split_once('/').unwrap_or((&path, "")) {
        ("resolve", key) => control.resolve(&key.parse().unwrap()).await.map(|found| match found {
            Some(deployment) => Response::new(serde_json::to_vec(&deployment).unwrap().into()),
            None => status(StatusCode::NOT_FOUND),
        }),
        ("modules", digest) => control.module(&digest.parse().unwrap()).await.map(|found| match found {
            Some(bytes) => Response::new(bytes.into()),
            None => status(StatusCode::NOT_FOUND),
        }),
        ("executors", "") => {
            let report: ExecutorReport = serde_json::from_slice(&body).unwrap();
            control.report(report).await.map(|()| status(StatusCode::NO_CONTENT))
        }
        ("usage", "") => {
            let told: UsageReport = serde_json::from_slice(&body).unwrap();
            let others = control.usage(told.executor, told.used).await;
            others.map(|others| Response::new(serde_json::to_vec(&others).unwrap().into()))
        }
        ("records", "") => {
            let batch: Vec<Record> = serde_json::from_slice(&body).unwrap();
            control.record(batch).await.map(|()| status(StatusCode::NO_CONTENT))
        }
        ("changes", "") => control.changes().await.map(|changes| {
            let lines = changes.map(|change| {
                let line = format!("{}\n", serde_json::to_string(&change).unwrap());
                Ok::<_, std::io::Error>(Frame::data(Bytes::from(line)))
            });
            Response::new(ResponseBody::stream(StreamBody::new(lines)))
        }),
        _ => panic!("nobody asks for {path}"),
    };
    done.unwrap_or_else(down)
}

fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}

fn keys(token: &str) -> ServiceKeys {
    token.parse::<ServiceToken>().unwrap().into()
}

fn remote(addr: SocketAddr, token: &str) -> RemoteControlPlane {
    RemoteControlPlane::new(&[format!("http://{addr}")], keys(token), None).unwrap()
}

async fn start(cache: &TempDir, control: &Control) -> TestExecutor {
    let remote = Arc::new(remote(offer(control.clone()).await, TOKEN));
    TestExecutor::start_behind(cache.path(), control.clone(), remote).await
}

#[tokio::test]
async fn a_handler_of_another_process_answers_and_is_recorded_there() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = start(&cache, &control).await;
    app.deploy("hello", &fixture("stderr")).await;
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.text()), (200, "logged\n"));
    let recorded = app.recorded(&answer).await;
    assert_eq!((recorded.lines.len(), recorded.receipt.status), (11, Some(200)));
    assert_eq!(app.get("nobody", "/").await.status, 404);
    assert_eq!(app.get("v1--hello", "/").await.status, 200);
    assert_eq!(app.get("v2--hello", "/").await.status, 404);
}

#[tokio::test]
async fn changes_of_another_process_are_followed() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = start(&cache, &control).await;
    app.deploy("hello", &prints("A: b\n\none")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &prints("A: b\n\ntwo"), |_| ());
    control.tell(Change::Handler { name: "hello".parse().unwrap() }).await;
    // Told is not yet arrived, with HTTP in between.
    let seen = async { while app.get("hello", "/").await.text() != "two" {} };
    within("the change is seen", seen).await;
}

#[tokio::test]
async fn another_process_that_is_down_is_unavailable_and_loses_no_record() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = start(&cache, &control).await;
    app.deploy("hello", &prints("A: b\n\nknown")).await;
    assert_eq!(app.get("hello", "/").await.text(), "known");
    control.update(|state| state.is_down = true);
    let answer = app.get("hello", "/").await;
    assert_eq!(answer.text(), "known");
    assert_eq!(app.get("nobody", "/").await.status, 503);
    control.until("records were refused", |state| (state.refused > 0).then_some(())).await;
    control.update(|state| state.is_down = false);
    app.recorded(&answer).await;
}

#[tokio::test]
async fn a_wrong_service_token_is_told_apart_from_a_failure() {
    let addr = offer(Control::default()).await;
    let stranger = remote(addr, &"x".repeat(32));
    let refused = [
        stranger.resolve(&"hello".parse().unwrap()).await.err(),
        stranger.module(&Digest::of(b"")).await.err(),
        stranger.record(Vec::new()).await.err(),
        stranger.changes().await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(ControlPlaneError::Unauthorized(_))), "{error:?}");
    }
}

#[tokio::test]
async fn what_nobody_serves_is_unavailable() {
    // A port that was free a moment ago.
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let remote = remote(addr, TOKEN);
    let error = within("an error", remote.module(&Digest::of(b""))).await.err();
    assert!(matches!(error, Some(ControlPlaneError::Unavailable(_))), "{error:?}");
}

#[tokio::test]
async fn an_api_with_tls_that_is_asked_over_plain_http_is_named_with_its_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Read, so that the end of the connection is no reset.
        assert!(socket.read(&mut [0; 4_096]).await.unwrap() > 0);
        // The alert `protocol_version`, which is what TLS says to the first line of HTTP.
        socket.write_all(&[0x15, 3, 3, 0, 2, 2, 70]).await.unwrap();
    });
    let error = within("an error", remote(addr, TOKEN).module(&Digest::of(b""))).await.unwrap_err();
    let words = format!("it does not speak plain HTTP: write https://{addr}");
    assert!(error.to_string().contains(&words), "{error}");
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused() {
    let new = |api: &[&str]| {
        let api: Vec<String> = api.iter().map(|&address| address.to_owned()).collect();
        RemoteControlPlane::new(&api, keys(TOKEN), None)
    };
    assert!(new(&["http://192.0.2.1:7443"]).is_err());
    assert!(new(&["https://192.0.2.1:7443"]).is_ok());
    assert!(new(&[]).is_err());
}

#[tokio::test]
async fn of_several_addresses_the_next_one_is_asked_when_one_does_not_answer() {
    let control = Control::default();
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (down, up) = (Control::default(), control.clone());
    down.update(|state| state.is_down = true);
    let addresses = [nobody, offer(down).await, offer(up).await].map(|addr| format!("http://{addr}"));
    let remote = RemoteControlPlane::new(&addresses, keys(TOKEN), None).unwrap();
    let module = Bytes::from_static(b"a module");
    control.update(|state| state.modules.insert(Digest::of(&module), module.clone()));
    for _ in 0..2 {
        let found = within("an answer", remote.module(&Digest::of(&module))).await.unwrap();
        assert_eq!(found, Some(module.clone()));
    }
}

#[tokio::test]
async fn an_executor_says_that_it_is_there_and_that_it_is_about_to_stop() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = start(&cache, &control).await;
    app.executor.start_reporting(Some("https://10.0.0.2:3002".parse().unwrap())).await;
    let first = control.until("a report", |state| state.reports.first().cloned()).await;
    assert_eq!(
        (first.id, first.internal_url.as_deref()),
        (app.executor.id(), Some("https://10.0.0.2:3002/"))
    );
    assert_eq!((first.name.as_str(), first.running_max, first.draining), (WORKER_ID, 256, false));
    app.executor.drain().await;
    let last = control.see(|state| state.reports.last().cloned()).unwrap();
    assert_eq!((last.id, last.draining), (first.id, true));
    // And once more when its records have been handed over, so that none seems to wait for ever.
    let before = control.see(|state| state.reports.len());
    app.executor.stop().await;
    let reports = control.see(|state| state.reports.clone());
    let last = reports.last().unwrap();
    assert!(reports.len() > before, "{reports:?}");
    assert_eq!((last.draining, last.records_waiting), (true, 0));
}

#[tokio::test]
async fn what_accounts_use_is_told_to_another_process_which_says_what_others_run() {
    let control = Control::default();
    let remote = remote(offer(control.clone()).await, TOKEN);
    let (account, one, other) = (UserId::new(), uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let used = AccountUse {
        account,
        day: 20_779,
        invocations: 7,
        cpu_us: 1_500,
        minute: 29_921_760,
        minute_invocations: 3,
        running: 1,
    };
    let none = AccountUse { invocations: 0, cpu_us: 0, minute_invocations: 0, running: 0, ..used.clone() };
    let heard = remote.usage(one, vec![used.clone()]).await.unwrap();
    assert_eq!((heard.len(), heard.first()), (1, Some(&none)));
    assert_eq!(remote.usage(other, vec![none]).await.unwrap(), [used]);
    control.update(|state| state.is_down = true);
    let error = remote.usage(one, Vec::new()).await.err();
    assert!(matches!(error, Some(ControlPlaneError::Unavailable(_))), "{error:?}");
}
