//! The control plane of another process: the same executor, with HTTP in between.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::{Request, Response, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_executor::RemoteControlPlane;
use wasmcloud_listener::{Body, ResponseBody, serve};
use wasmcloud_plane::ServiceToken;
use wasmcloud_wire::{Change, ControlPlane, ControlPlaneError, Digest, Record};

use crate::app::{TestExecutor, within};
use crate::control::Control;
use crate::wasm::{fixture, prints};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Offers a control plane as docs/ARCHITECTURE.md says an API does.
async fn offer(control: Control) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let service = move |request: Request<Body>, _| {
        let control = control.clone();
        async move { answer(&control, request).await }
    };
    tokio::spawn(serve(listener, None, Default::default(), CancellationToken::new(), service));
    addr
}

async fn answer(control: &Control, request: Request<Body>) -> Response<ResponseBody> {
    if request.headers()["authorization"] != format!("Bearer {TOKEN}") {
        return status(StatusCode::UNAUTHORIZED);
    }
    let (parts, body) = request.into_parts();
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
        ("records", "") => {
            let batch: Vec<Record> = serde_json::from_slice(&body.collect(1 << 20).await.unwrap()).unwrap();
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

fn remote(addr: SocketAddr, token: &str) -> RemoteControlPlane {
    let token: ServiceToken = token.parse().unwrap();
    RemoteControlPlane::new(&format!("http://{addr}"), &token, None).unwrap()
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
async fn plain_http_to_another_machine_is_refused() {
    let token: ServiceToken = TOKEN.parse().unwrap();
    assert!(RemoteControlPlane::new("http://192.0.2.1:7443", &token, None).is_err());
    assert!(RemoteControlPlane::new("https://192.0.2.1:7443", &token, None).is_ok());
}
