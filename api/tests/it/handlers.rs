//! Handlers and their versions.

use serde_json::json;
use wasmcloud_wire::body::{Handler, Version};
use wasmcloud_wire::{Change, VersionNumber};

use crate::app::{Heard, TestApp, module};

fn announced(name: &str) -> Heard {
    Heard::Announce(Change::Handler { name: name.parse().unwrap() })
}

#[tokio::test]
async fn a_new_handler_has_an_address_and_a_first_version() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let answer = alice.create("hello", module("one")).await;
    assert_eq!(answer.header("location"), Some("/api/v1/handlers/hello"));
    let deployed: wasmcloud_wire::body::Deployed = answer.good(201);
    assert_eq!(deployed.handler.url, "http://hello.localhost:3001/");
    assert_eq!((deployed.version, deployed.handler.live), (VersionNumber(1), VersionNumber(1)));
    assert!(!deployed.handler.forward_authorization);
    // Executors knew of it before the answer came.
    assert_eq!(app.invoker.heard().last(), Some(&announced("hello")));
    let shown: Handler = alice.get("/api/v1/handlers/hello").await.good(200);
    assert_eq!((shown.id, shown.digest), (deployed.handler.id, deployed.handler.digest));
}

#[tokio::test]
async fn handlers_are_listed_by_name() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    for name in ["charlie", "alpha", "bravo"] {
        alice.has_handler(name).await;
    }
    let listed: Vec<Handler> = alice.get("/api/v1/handlers").await.good(200);
    let names: Vec<&str> = listed.iter().map(|handler| handler.name.as_str()).collect();
    assert_eq!(names, ["alpha", "bravo", "charlie"]);
}

#[tokio::test]
async fn an_update_is_live_at_once_and_an_older_version_can_be_promoted() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let first = alice.has_handler("hello").await;
    let second: wasmcloud_wire::body::Deployed = alice.update("hello", module("two")).await.good(201);
    assert_eq!((second.version, second.handler.live), (VersionNumber(2), VersionNumber(2)));
    let promoted: Handler =
        alice.post("/api/v1/handlers/hello/promote", json!({"version": 1})).await.good(200);
    assert_eq!((promoted.live, promoted.digest), (VersionNumber(1), first.handler.digest));
    assert_eq!(app.invoker.heard().last(), Some(&announced("hello")));
    let versions: Vec<Version> = alice.get("/api/v1/handlers/hello/versions").await.good(200);
    let shown: Vec<(u32, bool, &str)> =
        versions.iter().map(|version| (version.number.0, version.live, version.url.as_str())).collect();
    assert_eq!(
        shown,
        [(2, false, "http://v2--hello.localhost:3001/"), (1, true, "http://v1--hello.localhost:3001/")]
    );
    let missing = alice.post("/api/v1/handlers/hello/promote", json!({"version": 3})).await;
    assert!(missing.error(404, "version_not_found").contains("no version 3"));
}

#[tokio::test]
async fn the_same_bytes_may_come_again() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let again: wasmcloud_wire::body::Deployed = alice.update("hello", module("hello")).await.good(201);
    assert_eq!(again.version, VersionNumber(2));
    assert_eq!(app.stored_modules().await, 1);
}

#[tokio::test]
async fn a_setting_that_is_absent_stays() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let changed: Handler =
        alice.patch("/api/v1/handlers/hello", json!({"forward_authorization": true})).await.good(200);
    assert!(changed.forward_authorization);
    assert_eq!(app.invoker.heard().last(), Some(&announced("hello")));
    let same: Handler = alice.patch("/api/v1/handlers/hello", json!({})).await.good(200);
    assert!(same.forward_authorization);
    let path = "/api/v1/handlers?name=other&forward_authorization=true";
    let other: wasmcloud_wire::body::Deployed = alice.send("POST", path, module("x")).await.good(201);
    assert!(other.handler.forward_authorization);
}

#[tokio::test]
async fn a_deleted_handler_is_gone_and_its_name_is_held_for_its_owner() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let first = alice.has_handler("hello").await;
    alice.delete("/api/v1/handlers/hello").await.done();
    assert_eq!(app.invoker.heard().last(), Some(&announced("hello")));
    alice.get("/api/v1/handlers/hello").await.error(404, "handler_not_found");
    alice.delete("/api/v1/handlers/hello").await.error(404, "handler_not_found");
    assert!(bob.create("hello", module("mine")).await.error(409, "name_held").contains("kept until"));
    let second = alice.has_handler("hello").await;
    assert_ne!(second.handler.id, first.handler.id);
}
