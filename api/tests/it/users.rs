//! Registering and logging in.

use serde_json::json;
use wasmcloud_api::Registration;
use wasmcloud_wire::body::{Invitation, Server, TokenGrant};

use crate::app::{PASSWORD, TestApp};

#[tokio::test]
async fn whoever_registers_is_logged_in() {
    let app = TestApp::start().await;
    let new = json!({"username": "alice", "password": PASSWORD});
    let grant: TokenGrant = app.anonymous().post("/api/v1/register", &new).await.good(201);
    assert!(!grant.user.is_admin);
    assert_eq!(app.with_token(&grant.token).whoami().await, grant.user);
    let grant: TokenGrant = app.anonymous().post("/api/v1/login", &new).await.good(200);
    assert_eq!(app.with_token(&grant.token).whoami().await.name.as_str(), "alice");
    app.anonymous().post("/api/v1/register", &new).await.error(409, "user_name_taken");
}

#[tokio::test]
async fn bad_names_and_passwords_are_refused_with_the_rule() {
    let app = TestApp::start().await;
    let register = |name: &str, password: &str| {
        let body = json!({"username": name, "password": password});
        let client = app.anonymous();
        async move { client.post("/api/v1/register", body).await }
    };
    assert!(register("A", PASSWORD).await.error(422, "invalid_name").contains("3 to 40"));
    assert!(register("alice", "short").await.error(422, "invalid_password").contains("10 to 256"));
    assert!(register("alice", &"x".repeat(257)).await.error(422, "invalid_password").contains("257"));
}

#[tokio::test]
async fn nobody_registers_where_that_is_off() {
    let app = TestApp::start_with(|config| config.registration = Registration::Off).await;
    let new = json!({"username": "alice", "password": PASSWORD});
    app.anonymous().post("/api/v1/register", new).await.error(403, "registration_off");
    let server: Server = app.anonymous().get("/api/v1/server").await.good(200);
    assert_eq!(server.registration, "off");
}

#[tokio::test]
async fn an_invitation_is_good_for_one_new_user() {
    let app = TestApp::start_with(|config| config.registration = Registration::Invitation).await;
    let (admin, alice) = (app.admin("operator").await, app.user("alice").await);
    alice.post("/api/v1/invitations", json!({})).await.error(403, "admins_only");
    app.anonymous().post("/api/v1/invitations", json!({})).await.error(401, "unauthorized");
    let invitation: Invitation = admin.post("/api/v1/invitations", json!({})).await.good(201);
    let register = |name: &str, code: Option<&str>| {
        let body = json!({"username": name, "password": PASSWORD, "invitation": code});
        let client = app.anonymous();
        async move { client.post("/api/v1/register", body).await }
    };
    register("bob", None).await.error(403, "invitation_required");
    register("bob", Some("0000")).await.error(403, "invitation_required");
    // A name that is taken does not use the code up.
    register("alice", Some(&invitation.code)).await.error(409, "user_name_taken");
    register("bob", Some(&invitation.code)).await.good::<TokenGrant>(201);
    register("carol", Some(&invitation.code)).await.error(403, "invitation_required");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let login = |name: &str, password: &str| {
        let body = json!({"username": name, "password": password});
        let client = app.anonymous();
        async move { client.post("/api/v1/login", body).await }
    };
    let wrong = login("alice", "not the password").await;
    let unknown = login("mallory", "not the password").await;
    let no_name = login("NOT A NAME", "not the password").await;
    let message = wrong.error(401, "wrong_credentials");
    assert_eq!(unknown.error(401, "wrong_credentials"), message);
    assert_eq!(no_name.error(401, "wrong_credentials"), message);
    let without_id = |answer: &crate::app::Answer| {
        let id = answer.header("x-request-id").unwrap().to_owned();
        answer.text().replace(&id, "")
    };
    assert_eq!(without_id(&wrong), without_id(&unknown));
}

#[tokio::test]
async fn the_sixth_wrong_password_within_a_minute_has_to_wait() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let wrong = json!({"username": "alice", "password": "not the password"});
    for _ in 0..5 {
        app.anonymous().post("/api/v1/login", &wrong).await.error(401, "wrong_credentials");
    }
    let right = json!({"username": "alice", "password": PASSWORD});
    let answer = app.anonymous().post("/api/v1/login", &right).await;
    answer.error(429, "too_many_tries");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn one_address_has_twenty_tries_a_minute_whatever_names_it_tries() {
    let app = TestApp::start().await;
    for number in 0..20 {
        let body = json!({"username": format!("user-{number}"), "password": "not the password"});
        app.anonymous().post("/api/v1/login", body).await.error(401, "wrong_credentials");
    }
    let body = json!({"username": "another", "password": "not the password"});
    // A header that claims another address changes nothing.
    let request = app.anonymous().request("POST", "/api/v1/login").header("x-real-ip", "192.0.2.7");
    let answer = crate::app::Answer::of(request.header("x-forwarded-for", "192.0.2.7").json(&body)).await;
    answer.error(429, "too_many_tries");
}

#[tokio::test]
async fn right_passwords_can_be_given_as_often_as_one_likes() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let right = json!({"username": "alice", "password": PASSWORD});
    for _ in 0..7 {
        app.anonymous().post("/api/v1/login", &right).await.good::<TokenGrant>(200);
    }
}
