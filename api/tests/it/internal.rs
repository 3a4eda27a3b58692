//! What executors ask.

use serde_json::json;
use wasmcloud_wire::{Change, Deployment, Digest, InvocationId, VersionNumber};

use crate::app::{TestApp, module, record};

const ROUTES: &[(&str, &str)] = &[
    ("GET", "/internal/v1/resolve/hello"),
    ("GET", "/internal/v1/changes"),
    ("POST", "/internal/v1/records"),
    ("GET", "/internal/v1/modules/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
];

#[tokio::test]
async fn only_the_service_token_opens_the_internal_interface() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let almost = app.with_token("0123456789abcdef0123456789abcdeF");
    for (method, path) in ROUTES {
        for client in [&app.anonymous(), &alice, &almost] {
            client.send(method, path, "[]").await.error(401, "unauthorized");
        }
    }
    // And it opens nothing else.
    app.executor().get("/api/v1/whoami").await.error(401, "unauthorized");
}

#[tokio::test]
async fn without_a_service_token_there_is_no_internal_interface() {
    let app = TestApp::start_with(|config| config.service_token = None).await;
    for (method, path) in ROUTES {
        app.executor().send(method, path, "[]").await.error(404, "not_found");
        app.with_token("").send(method, path, "[]").await.error(404, "not_found");
    }
}

#[tokio::test]
async fn an_address_resolves_to_what_it_serves() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let deployed = alice.has_handler("hello").await;
    assert_eq!(alice.update("hello", module("two")).await.status, 201);
    let executor = app.executor();
    let live: Deployment = executor.get("/internal/v1/resolve/hello").await.good(200);
    assert_eq!((live.handler, live.version), (deployed.handler.id, VersionNumber(2)));
    assert_eq!(live.owner, alice.whoami().await.id);
    let pinned: Deployment = executor.get("/internal/v1/resolve/v1--hello").await.good(200);
    assert_eq!((pinned.version, pinned.digest), (VersionNumber(1), deployed.handler.digest));
    for key in ["nobody", "v3--hello", "NOT-A-NAME"] {
        executor.get(&format!("/internal/v1/resolve/{key}")).await.error(404, "not_found");
    }
}

#[tokio::test]
async fn a_modules_bytes_are_what_was_uploaded() {
    let app = TestApp::start().await;
    app.user("alice").await.has_handler("hello").await;
    let executor = app.executor();
    let answer = executor.get(&format!("/internal/v1/modules/{}", Digest::of(&module("hello")))).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/wasm")));
    assert_eq!(answer.body, module("hello"));
    for digest in [Digest::of(b"nothing").to_string(), "nonsense".to_owned()] {
        executor.get(&format!("/internal/v1/modules/{digest}")).await.error(404, "not_found");
    }
}

#[tokio::test]
async fn changes_arrive_while_the_stream_is_open() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let mut changes = app.executor().request("GET", "/internal/v1/changes").send().await.unwrap();
    let resync = changes.chunk().await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<Change>(&resync).unwrap(), Change::Resync);
    alice.has_handler("hello").await;
    let change = changes.chunk().await.unwrap().unwrap();
    let name = "hello".parse().unwrap();
    assert_eq!(serde_json::from_slice::<Change>(&change).unwrap(), Change::Handler { name });
}

#[tokio::test]
async fn records_are_kept_once_however_often_they_come() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let deployed = alice.has_handler("hello").await;
    let invocation = InvocationId::new();
    let batch = vec![record(deployed.handler.id, invocation, 0, "one", true)];
    for _ in 0..2 {
        app.executor().post("/internal/v1/records", &batch).await.done();
    }
    let logs: wasmcloud_wire::body::Logs = alice.get("/api/v1/handlers/hello/logs").await.good(200);
    assert_eq!(logs.lines.len(), 1);
    app.executor().post("/internal/v1/records", json!([{"nonsense": 1}])).await.error(422, "invalid_body");
}
