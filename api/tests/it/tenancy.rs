//! Another user's things are not there.

use serde_json::{Value, json};
use wasmcloud_wire::body::TokenGrant;
use wasmcloud_wire::{ControlPlane as _, InvocationId};

use crate::app::{Answer, Client, TestApp, module, record};

/// Every route that names a handler.
const ROUTES: &[(&str, &str)] = &[
    ("GET", ""),
    ("PATCH", ""),
    ("DELETE", ""),
    ("PUT", "/module"),
    ("GET", "/versions"),
    ("DELETE", "/versions/1"),
    ("POST", "/promote"),
    ("GET", "/env"),
    ("PATCH", "/env"),
    ("PUT", "/env/A"),
    ("DELETE", "/env/A"),
    ("POST", "/invoke"),
    ("GET", "/logs"),
    ("GET", "/logs?follow=true"),
    ("GET", "/invocations"),
    ("GET", "/invocations/{invocation}"),
    ("GET", "/invocations/{invocation}/recording"),
    ("GET", "/recording"),
    ("GET", "/policy"),
    ("GET", "/policy/learned"),
    ("POST", "/rollback"),
    ("POST", "/transfer"),
];

async fn ask(client: &Client, method: &str, handler: &str, rest: &str) -> Answer {
    let request = client.request(method, &format!("/api/v1/handlers/{handler}{rest}"));
    let request = match (method, rest) {
        ("PUT", "/env/A") => request.json(&json!({"value": "x"})),
        ("PATCH", "/env") => request.json(&json!({"set": {"A": {"value": "x"}}})),
        ("PUT", _) => request.body(module("x")),
        ("PATCH", _) => request.json(&json!({"forward_authorization": true})),
        ("POST", "/promote") => request.json(&json!({"version": 1})),
        ("POST", "/transfer") => request.json(&json!({"to": "bob"})),
        ("POST", _) => request.json(&json!({})),
        _ => request,
    };
    Answer::of(request).await
}

fn without_names(answer: &Answer, name: &str) -> Value {
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["error"]["request_id"] = Value::Null;
    serde_json::from_str(&body.to_string().replace(name, "NAME")).unwrap()
}

#[tokio::test]
async fn another_users_handler_is_exactly_like_one_that_does_not_exist() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let deployed = alice.has_handler("secret").await;
    let invocation = InvocationId::new();
    app.core.record(vec![record(deployed.handler.id, invocation, 0, "private", true)]).await.unwrap();
    for (method, rest) in ROUTES {
        let rest = rest.replace("{invocation}", &invocation.to_string());
        let others = ask(&bob, method, "secret", &rest).await;
        let nobodys = ask(&bob, method, "nobody", &rest).await;
        others.error(404, "handler_not_found");
        assert_eq!(without_names(&others, "secret"), without_names(&nobodys, "nobody"), "{method} {rest}");
        ask(&app.anonymous(), method, "secret", &rest).await.error(401, "unauthorized");
    }
    assert_eq!(bob.get("/api/v1/handlers").await.good::<Vec<Value>>(200), Vec::<Value>::new());
    // And nothing happened to it.
    let still: wasmcloud_wire::body::Handler = alice.get("/api/v1/handlers/secret").await.good(200);
    assert_eq!((still.live.0, still.forward_authorization), (1, false));
    assert!(app.invoker.calls().is_empty());
}

#[tokio::test]
async fn another_handlers_invocation_is_not_found_under_ones_own() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let deployed = alice.has_handler("secret").await;
    bob.has_handler("public").await;
    let invocation = InvocationId::new();
    app.core.record(vec![record(deployed.handler.id, invocation, 0, "private", true)]).await.unwrap();
    let path = format!("/api/v1/handlers/public/invocations/{invocation}");
    bob.get(&path).await.error(404, "invocation_not_found");
    let lines = bob.get(&format!("/api/v1/handlers/public/logs?invocation={invocation}")).await;
    assert_eq!(lines.good::<Value>(200), json!({"lines": []}));
}

#[tokio::test]
async fn another_users_token_can_be_neither_seen_nor_revoked() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let grant: TokenGrant = alice.post("/api/v1/tokens", json!({"label": "ci"})).await.good(201);
    assert!(!bob.get("/api/v1/tokens").await.text().contains(&grant.id.to_string()));
    bob.delete(&format!("/api/v1/tokens/{}", grant.id)).await.error(404, "token_not_found");
    bob.delete("/api/v1/tokens/nonsense").await.error(404, "token_not_found");
    assert_eq!(app.with_token(&grant.token).whoami().await.name.as_str(), "alice");
}

#[tokio::test]
async fn an_operator_has_no_special_way_to_others_handlers() {
    let app = TestApp::start().await;
    let (alice, admin) = (app.user("alice").await, app.admin("operator").await);
    alice.has_handler("secret").await;
    admin.get("/api/v1/handlers/secret").await.error(404, "handler_not_found");
}
