//! The end: what goes on is finished, what would go on for ever is ended.

use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::json;
use tokio::sync::Notify;
use wasmcloud_wire::{Change, ControlPlane as _, Event, HandlerId, InvocationId};

use crate::app::{Answer, Prepares, TestApp, module, receipt};

#[tokio::test]
async fn followers_and_change_streams_end_when_the_shutdown_begins() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let logs = alice.request("GET", "/api/v1/handlers/hello/logs?follow=true").send().await.unwrap();
    let executor = app.executor();
    let request = executor.signed(executor.request("GET", "/internal/v1/changes"));
    let changes = request.send().await.unwrap();
    let in_process = app.core.changes().await.unwrap();
    app.stop().await;
    assert!(logs.text().await.is_ok());
    assert!(changes.text().await.unwrap().starts_with(r#"{"kind":"resync"}"#));
    assert_eq!(in_process.collect::<Vec<_>>().await, [Change::Resync]);
}

#[tokio::test]
async fn an_upload_and_an_invocation_in_flight_are_finished() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let happens = app.invoker.next_invocation();
    let invoke =
        alice.request("POST", "/api/v1/handlers/hello/invoke").json(&json!({})).send().await.unwrap();
    let release = Arc::new(Notify::new());
    app.invoker.at_prepare(&module("late"), Prepares::Holding(Arc::clone(&release)));
    let upload = alice.request("POST", "/api/v1/handlers?name=late").body(module("late"));
    let upload = tokio::spawn(Answer::of(upload));
    app.invoker.holding.notified().await;
    app.begin_shutdown();
    release.notify_one();
    assert_eq!(upload.await.unwrap().status, 201);
    let end = Event::End { receipt: Box::new(receipt(HandlerId::new(), InvocationId::new())) };
    happens.send(end).unwrap();
    drop(happens);
    assert!(invoke.text().await.unwrap().contains(r#""event":"end""#));
    app.stop().await;
}
