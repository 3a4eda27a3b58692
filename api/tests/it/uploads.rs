//! Uploads: what is refused leaves nothing behind, and nobody waits for another user's.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{Deployment, Digest, Inspection, Refusal};

use crate::app::{Heard, Prepares, TestApp, module};

fn wat(text: &str) -> Bytes {
    wat::parse_str(text).unwrap().into()
}

#[tokio::test]
async fn a_file_that_cannot_run_is_refused_before_anything_is_stored() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let unmet = wat(
        r#"(module (import "env" "abort" (func)) (memory (export "memory") 1) (func (export "_start")))"#,
    );
    for (file, status, code) in [
        (Bytes::new(), 400, "not_wasm"),
        (Bytes::from_static(b"#!/bin/sh\necho hello\n"), 400, "not_wasm"),
        (unmet, 422, "unmet_import"),
        (wat(r#"(module (memory (export "memory") 1))"#), 422, "missing_entry"),
    ] {
        alice.create("hello", file.clone()).await.error(status, code);
        alice.send("POST", "/api/v1/inspect", file).await.error(status, code);
    }
    assert_eq!(app.stored_modules().await, 0);
    assert_eq!(app.invoker.heard(), []);
    alice.get("/api/v1/handlers/hello").await.error(404, "handler_not_found");
}

#[tokio::test]
async fn a_file_above_the_limit_is_refused_whether_or_not_it_says_how_long_it_is() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let large = Bytes::from(vec![0; UPLOAD_BYTES_MAX + 1]);
    let said = alice.create("hello", large.clone()).await;
    assert!(said.error(413, "body_too_large").contains(&UPLOAD_BYTES_MAX.to_string()));
    let parts = large.chunks(1 << 20).map(|part| Ok::<_, std::io::Error>(Bytes::copy_from_slice(part)));
    let stream = reqwest::Body::wrap_stream(futures::stream::iter(parts.collect::<Vec<_>>()));
    let unsaid = alice.send("POST", "/api/v1/handlers?name=hello", stream).await;
    unsaid.error(413, "body_too_large");
    assert_eq!(app.stored_modules().await, 0);
}

#[tokio::test]
async fn a_large_body_is_not_read_from_whoever_is_not_known() {
    let app = TestApp::start().await;
    // The body never ends; the answer comes all the same.
    let endless = reqwest::Body::wrap_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    let answer = app.anonymous().send("POST", "/api/v1/handlers?name=hello", endless).await;
    answer.error(401, "unauthorized");
}

#[tokio::test]
async fn what_the_executor_refuses_is_forgotten_again() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let refusal =
        Refusal::new("compile_failed", "the function `bomb` takes too long to compile", "make it smaller");
    app.invoker.at_prepare(&module("bomb"), Prepares::Refusing(refusal));
    assert!(alice.create("hello", module("bomb")).await.error(422, "compile_failed").contains("bomb"));
    assert_eq!(app.stored_modules().await, 0);

    app.invoker.at_prepare(&module("hello"), Prepares::Failing("connection to 10.0.0.7 refused".to_owned()));
    let answer = alice.create("hello", module("hello")).await;
    answer.error(503, "executor_unavailable");
    assert!(!answer.text().contains("10.0.0.7"), "{}", answer.text());
    assert_eq!(app.stored_modules().await, 0);
    alice.has_handler("hello").await;
}

#[tokio::test]
async fn a_refused_update_leaves_what_other_versions_refer_to() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    app.invoker.at_prepare(&module("hello"), Prepares::Failing("gone".to_owned()));
    alice.update("hello", module("hello")).await.error(503, "executor_unavailable");
    assert_eq!(app.stored_modules().await, 1);
}

#[tokio::test]
async fn a_name_is_checked_before_the_file_is_looked_at() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    alice.has_handler("hello").await;
    let before = app.invoker.heard().len();
    for client in [&alice, &bob] {
        client.create("hello", module("other")).await.error(409, "name_taken");
    }
    alice.create("www", module("other")).await.error(422, "invalid_name");
    alice.create("Hello", module("other")).await.error(422, "invalid_name");
    alice.send("POST", "/api/v1/handlers", module("other")).await.error(422, "invalid_name");
    alice.update("unknown", module("other")).await.error(404, "handler_not_found");
    let misspelt = alice.send("POST", "/api/v1/handlers?nmae=hello", module("other")).await;
    assert!(misspelt.error(422, "invalid").contains("nmae"));
    assert_eq!(app.invoker.heard().len(), before);
    assert_eq!(app.stored_modules().await, 1);
}

#[tokio::test]
async fn a_users_uploads_go_one_after_the_other_and_nobody_elses_wait() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let release = Arc::new(Notify::new());
    app.invoker.at_prepare(&module("first"), Prepares::Holding(Arc::clone(&release)));
    let first = tokio::spawn({
        let alice = alice.clone();
        async move { alice.create("first", module("first")).await }
    });
    app.invoker.holding.notified().await;
    let second = tokio::spawn({
        let alice = alice.clone();
        async move { alice.create("second", module("second")).await }
    });
    // A whole upload of another user passes while the first is being prepared.
    bob.has_handler("third").await;
    release.notify_one();
    assert_eq!(first.await.unwrap().status, 201);
    assert_eq!(second.await.unwrap().status, 201);
    let heard = app.invoker.heard();
    let place = |wanted: &Heard| heard.iter().position(|heard| heard == wanted).unwrap();
    let digest = |text: &str| Digest::of(&module(text));
    assert!(place(&Heard::PrepareEnded(digest("third"))) < place(&Heard::PrepareEnded(digest("first"))));
    assert!(place(&Heard::PrepareEnded(digest("first"))) < place(&Heard::PrepareBegan(digest("second"))));
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_it() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let (one, other) = tokio::join!(alice.create("hello", module("a")), bob.create("hello", module("b")));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn inspecting_keeps_nothing() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let inspection: Inspection = alice.send("POST", "/api/v1/inspect", module("x")).await.good(200);
    assert_eq!(inspection.memory_bytes_min, 65_536);
    assert_eq!(app.stored_modules().await, 0);
    app.anonymous().send("POST", "/api/v1/inspect", module("x")).await.error(401, "unauthorized");
}

#[tokio::test]
async fn an_operators_limits_are_those_of_uploads_and_of_deployments() {
    let app = TestApp::start_with(|config| config.limits.memory_bytes = 2 << 20).await;
    let alice = app.user("alice").await;
    let large = wat(r#"(module (memory (export "memory") 33) (func (export "_start")))"#);
    alice.create("large", large.clone()).await.error(422, "over_limit");
    alice.send("POST", "/api/v1/inspect", large).await.error(422, "over_limit");
    alice.has_handler("hello").await;
    let resolved: Deployment = app.executor().get("/internal/v1/resolve/hello").await.good(200);
    assert_eq!(resolved.limits.memory_bytes, 2 << 20);
    alice.post("/api/v1/handlers/hello/invoke", serde_json::json!({})).await;
    assert_eq!(app.invoker.calls()[0].deployment.limits, resolved.limits);
}
