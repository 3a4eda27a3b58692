//! Sessions of the panel.

use serde_json::{Value, json};
use wasmcloud_api::store::{Grounds, NewSessionRow, PeopleStore as _, SessionStore as _};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{SessionInfo, User};

use super::{as_session, sign_in, signed_in};
use crate::app::{Answer, PASSWORD, TestApp};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn a_session_is_its_users_until_it_ends() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let grant = sign_in(&app, "alice", PASSWORD).await;
    assert_eq!(grant.secret.len(), 64);
    let days = (grant.expires_at.0 - Timestamp::now().0 + 60_000) / DAY_MS;
    assert_eq!(days, 30);
    let browser = as_session(&app, &grant.secret);
    assert_eq!(browser.whoami().await.name.as_str(), "alice");
    browser.has_handler("hello").await;

    let other = signed_in(&app, "alice").await;
    let listed: Vec<SessionInfo> = browser.get("/api/v1/sessions").await.good(200);
    assert_eq!(listed.iter().filter(|session| session.current).count(), 1);
    assert_eq!(listed.len(), 2);
    let current = listed.iter().find(|session| session.current).unwrap();
    let answer = browser.get("/api/v1/sessions").await;
    assert!(!answer.text().contains(&grant.secret));
    other.delete(&format!("/api/v1/sessions/{}", current.id)).await.done();
    browser.get("/api/v1/whoami").await.error(401, "unauthorized");
    other.delete(&format!("/api/v1/sessions/{}", current.id)).await.error(404, "session_not_found");
    other.delete("/api/v1/sessions/nonsense").await.error(404, "session_not_found");

    other.post("/api/v1/logout", json!({})).await.done();
    other.get("/api/v1/whoami").await.error(401, "unauthorized");
}

#[tokio::test]
async fn another_users_session_is_not_there() {
    let app = TestApp::start().await;
    app.user("alice").await;
    app.user("bob").await;
    let (alice, bob) = (signed_in(&app, "alice").await, signed_in(&app, "bob").await);
    let of_alice: Vec<SessionInfo> = alice.get("/api/v1/sessions").await.good(200);
    bob.delete(&format!("/api/v1/sessions/{}", of_alice[0].id)).await.error(404, "session_not_found");
    let of_bob: Vec<SessionInfo> = bob.get("/api/v1/sessions").await.good(200);
    assert!(of_bob.iter().all(|session| session.id != of_alice[0].id));
    assert_eq!(alice.whoami().await.name.as_str(), "alice");
}

#[tokio::test]
async fn a_session_ends_after_30_days_and_after_7_without_use() {
    let app = TestApp::start().await;
    let alice: User = app.user("alice").await.whoami().await;
    let now = Timestamp::now();
    // Secrets of 64 zeros and so on; what is kept is their hash.
    let begun = async |digit: &str, seen_days_ago: i64, ends_in_days: i64| {
        let secret = digit.repeat(64);
        let row = NewSessionRow {
            id: uuid::Uuid::now_v7(),
            secret_hash: *wasmcloud_wire::Digest::of(secret.as_bytes()).as_bytes(),
            user: alice.id,
            user_agent: String::new(),
            peer: "192.0.2.1".to_owned(),
            now: Timestamp(now.0 - seen_days_ago * DAY_MS),
            expires_at: Timestamp(now.0 + ends_in_days * DAY_MS),
        };
        assert!(app.store.create_session(&row, 100, &Grounds::Known).await.unwrap());
        as_session(&app, &secret)
    };
    begun("0", 8, 20).await.get("/api/v1/whoami").await.error(401, "unauthorized");
    begun("1", 1, -1).await.get("/api/v1/whoami").await.error(401, "unauthorized");
    let good = begun("2", 6, 20).await;
    assert_eq!(good.whoami().await.name, alice.name);
    let listed: Vec<SessionInfo> = good.get("/api/v1/sessions").await.good(200);
    assert_eq!(listed.len(), 1);
    assert!(listed[0].seen_at.0 > now.0 - 120_000 && listed[0].seen_at.0 % 60_000 == 0, "to the minute");
}

#[tokio::test]
async fn a_suspension_is_seen_by_sessions_and_tokens_at_once() {
    let app = TestApp::start().await;
    let token = app.user("alice").await;
    let browser = signed_in(&app, "alice").await;
    let id = browser.whoami().await.id;
    app.admin("operator").await;
    app.store.suspend(id, "spam was sent", Timestamp::now()).await.unwrap();
    for client in [&browser, &token] {
        assert!(client.get("/api/v1/whoami").await.error(403, "suspended").contains("spam was sent"));
    }
    let right = json!({"username": "alice", "password": PASSWORD});
    app.anonymous().post("/api/v1/sessions", &right).await.error(403, "suspended");
    app.anonymous().post("/api/v1/login", &right).await.error(403, "suspended");
    // Only who knows the password is told so.
    let wrong = json!({"username": "alice", "password": "not the password"});
    app.anonymous().post("/api/v1/sessions", &wrong).await.error(401, "wrong_credentials");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer_for_a_session() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let sign_in = async |name: &str| {
        let body = json!({"username": name, "password": "not the password"});
        app.anonymous().post("/api/v1/sessions", body).await
    };
    let without_id = |answer: &Answer| {
        let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
        body["error"]["request_id"] = Value::Null;
        (answer.status, body)
    };
    let (wrong, unknown, no_name) =
        (sign_in("alice").await, sign_in("mallory").await, sign_in("NO NAME").await);
    wrong.error(401, "wrong_credentials");
    assert_eq!(without_id(&wrong), without_id(&unknown));
    assert_eq!(without_id(&wrong), without_id(&no_name));
}

#[tokio::test]
async fn sessions_and_logins_share_their_tries() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let wrong = json!({"username": "alice", "password": "not the password"});
    for number in 0..5 {
        let path = if number % 2 == 0 { "/api/v1/sessions" } else { "/api/v1/login" };
        app.anonymous().post(path, &wrong).await.error(401, "wrong_credentials");
    }
    let right = json!({"username": "alice", "password": PASSWORD});
    app.anonymous().post("/api/v1/sessions", &right).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn the_101st_session_ends_the_one_that_was_not_used_for_longest() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await.whoami().await;
    for number in 0..100_u8 {
        let row = NewSessionRow {
            id: uuid::Uuid::now_v7(),
            secret_hash: [number; 32],
            user: alice.id,
            user_agent: String::new(),
            peer: String::new(),
            now: Timestamp(Timestamp::now().0 - 3_600_000 + i64::from(number)),
            expires_at: Timestamp(Timestamp::now().0 + DAY_MS),
        };
        assert!(app.store.create_session(&row, 1_000, &Grounds::Known).await.unwrap());
    }
    let browser = signed_in(&app, "alice").await;
    let listed: Vec<SessionInfo> = browser.get("/api/v1/sessions").await.good(200);
    assert_eq!(listed.len(), 100);
    let since = Timestamp(0);
    assert!(app.store.live_session(&[0; 32], Timestamp::now(), since).await.unwrap().is_none());
    assert!(app.store.live_session(&[1; 32], Timestamp::now(), since).await.unwrap().is_some());
}
