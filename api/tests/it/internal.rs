//! What executors ask.

use http::Method;
use serde_json::json;
use wasmcloud_api::ServiceToken;
use wasmcloud_api::store::FleetStore as _;
use wasmcloud_wire::{Change, Deployment, Digest, ExecutorReport, InvocationId, Timestamp, VersionNumber};

use crate::app::{Answer, SERVICE_TOKEN, TestApp, module, record, service_keys};
use crate::executors::report;

const ROUTES: &[(&str, &str)] = &[
    ("GET", "/internal/v1/resolve/hello"),
    ("GET", "/internal/v1/routes/example.com"),
    ("GET", "/internal/v1/changes"),
    ("POST", "/internal/v1/executors"),
    ("POST", "/internal/v1/records"),
    ("POST", "/internal/v1/usage"),
    ("GET", "/internal/v1/modules/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
];

#[tokio::test]
async fn only_a_signature_opens_the_internal_interface() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let almost = app.signing("0123456789abcdef0123456789abcdeF".parse::<ServiceToken>().unwrap().into());
    // The token itself opens nothing.
    let token = app.with_token(SERVICE_TOKEN);
    for (method, path) in ROUTES {
        for client in [&app.anonymous(), &alice, &almost, &token] {
            client.send(method, path, "[]").await.error(401, "unauthorized");
        }
    }
    // And it opens nothing else.
    app.executor().get("/api/v1/whoami").await.error(401, "unauthorized");
}

#[tokio::test]
async fn a_signed_request_is_taken_once_and_as_it_was_signed() {
    let app = TestApp::start().await;
    let executor = app.executor();
    let request = executor.signed(executor.request("POST", "/internal/v1/records").body("[]"));
    let again = request.try_clone().unwrap();
    let other_body = executor.signed(executor.request("POST", "/internal/v1/records").body("[]")).body("[ ]");
    let signed = request.try_clone().unwrap().build().unwrap();
    let elsewhere = executor.request("GET", "/internal/v1/changes");
    let elsewhere = elsewhere.header("authorization", &signed.headers()["authorization"]);
    Answer::of(elsewhere).await.error(401, "unauthorized");
    Answer::of(request).await.done();
    Answer::of(again).await.error(401, "replayed");
    Answer::of(other_body).await.error(401, "wrong_body");
    let for_executor = service_keys().sign("x", &Method::GET, "/internal/v1/changes", b"").unwrap();
    let for_executor = executor.request("GET", "/internal/v1/changes").header("authorization", for_executor);
    Answer::of(for_executor).await.error(401, "wrong_audience");
}

#[tokio::test]
async fn what_one_api_process_took_is_a_replay_to_another() {
    let app = TestApp::start().await;
    let executor = app.executor();
    let request = executor.signed(executor.request("GET", "/internal/v1/resolve/nobody"));
    let nonce = request.try_clone().unwrap().build().unwrap();
    let field = nonce.headers()["authorization"].to_str().unwrap();
    let nonce: Vec<&str> = field.split(' ').filter_map(|part| part.strip_prefix("nonce=")).collect();
    let nonce: [u8; 16] = hex::decode(nonce[0]).unwrap().try_into().unwrap();
    // As the other process notes it in the store that both share.
    let later = Timestamp(Timestamp::now().0 + 60_000);
    assert!(app.store.use_nonce(&nonce, later).await.unwrap());
    Answer::of(request).await.error(401, "replayed");
}

#[tokio::test]
async fn an_address_that_nobody_could_call_is_no_executors() {
    let app = TestApp::start().await;
    let report = |url: &str| ExecutorReport { internal_url: Some(url.to_owned()), ..report("one") };
    app.executor().post("/internal/v1/executors", report("http://10.0.0.2:3002")).await.error(422, "invalid");
    app.executor().post("/internal/v1/executors", report("https://10.0.0.2:3002")).await.done();
}

#[tokio::test]
async fn without_a_service_token_there_is_no_internal_interface() {
    let app = TestApp::start_with(|config| config.service_keys = None).await;
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
    let executor = app.executor();
    let request = executor.signed(executor.request("GET", "/internal/v1/changes"));
    let mut changes = request.send().await.unwrap();
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
