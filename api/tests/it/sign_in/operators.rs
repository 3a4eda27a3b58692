//! What operators do about accounts and invitations.

use serde_json::json;
use wasmcloud_api::Registration;
use wasmcloud_wire::Change;
use wasmcloud_wire::body::{Invitation, InvitationInfo, Suspension, TokenGrant, UserInfo};

use super::signed_in;
use crate::app::{Heard, PASSWORD, TestApp};

#[tokio::test]
async fn accounts_are_listed_by_name_and_found_by_a_part_of_it() {
    let app = TestApp::start().await;
    let operator = app.admin("operator").await;
    for name in ["alice", "bob", "alina"] {
        app.user(name).await;
    }
    signed_in(&app, "bob").await.whoami().await;
    let names = async |query: &str| {
        let users: Vec<UserInfo> = operator.get(&format!("/api/v1/users{query}")).await.good(200);
        users.into_iter().map(|info| info.user.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["alice", "alina", "bob", "operator"]);
    assert_eq!(names("?query=ALI").await, ["alice", "alina"]);
    assert_eq!(names("?query=%25").await, Vec::<String>::new());
    assert_eq!(names("?limit=2").await, ["alice", "alina"]);
    assert_eq!(names("?limit=2&after=alina").await, ["bob", "operator"]);
    operator.get("/api/v1/users?limit=501").await.error(422, "invalid");
    operator.get("/api/v1/users?page=2").await.error(422, "invalid");

    let bob: UserInfo = operator.get("/api/v1/users/bob").await.good(200);
    assert!(!bob.is_team && bob.plan == "standard" && bob.seen_at.is_some() && bob.suspension.is_none());
    operator.get("/api/v1/users/nobody").await.error(404, "user_not_found");
    operator.get("/api/v1/users/NO%20NAME").await.error(404, "user_not_found");
}

#[tokio::test]
async fn nobody_but_operators_sees_or_changes_accounts() {
    let app = TestApp::start().await;
    let (alice, operator) = (app.user("alice").await, app.admin("operator").await);
    let limited: TokenGrant =
        operator.post("/api/v1/tokens", json!({"label": "ci", "scopes": ["deploy", "read"]})).await.good(201);
    let limited = app.with_token(&limited.token);
    for (method, path) in [
        ("GET", "/api/v1/users"),
        ("GET", "/api/v1/users/alice"),
        ("PATCH", "/api/v1/users/alice"),
        ("POST", "/api/v1/users/alice/reset"),
        ("PUT", "/api/v1/users/alice/suspension"),
        ("DELETE", "/api/v1/users/alice/suspension"),
        ("GET", "/api/v1/invitations"),
        ("DELETE", "/api/v1/invitations/00"),
    ] {
        let body = if path.ends_with("suspension") && method == "PUT" { r#"{"reason":"x"}"# } else { "{}" };
        alice.send(method, path, body).await.error(403, "admins_only");
        limited.send(method, path, body).await.error(403, "scope_missing");
        app.anonymous().send(method, path, body).await.error(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_suspension_reaches_executors_and_is_lifted_again() {
    let app = TestApp::start().await;
    let (operator, alice) = (app.admin("operator").await, app.user("alice").await);
    alice.has_handler("hello").await;
    app.invoker.heard.lock().unwrap().clear();
    let announced = || Heard::Announce(Change::Handler { name: "hello".parse().unwrap() });
    for reason in ["", "   ", "a\nb", &"x".repeat(501)] {
        operator.put("/api/v1/users/alice/suspension", json!({"reason": reason})).await.error(422, "invalid");
    }
    let suspension: Suspension =
        operator.put("/api/v1/users/alice/suspension", json!({"reason": "it sent spam"})).await.good(200);
    assert_eq!(suspension.reason, "it sent spam");
    assert!(app.invoker.heard().contains(&announced()));
    assert!(alice.get("/api/v1/whoami").await.error(403, "suspended").contains("it sent spam"));
    let info: UserInfo = operator.get("/api/v1/users/alice").await.good(200);
    assert_eq!(info.suspension, Some(suspension));
    assert_eq!(info.handlers, 1);

    app.invoker.heard.lock().unwrap().clear();
    operator.delete("/api/v1/users/alice/suspension").await.done();
    assert!(app.invoker.heard().contains(&announced()));
    assert_eq!(alice.whoami().await.name.as_str(), "alice");
    operator.delete("/api/v1/users/alice/suspension").await.error(404, "not_suspended");
}

#[tokio::test]
async fn an_operator_cannot_suspend_or_demote_themselves() {
    let app = TestApp::start().await;
    let operator = app.admin("operator").await;
    let refused = operator.put("/api/v1/users/operator/suspension", json!({"reason": "x"})).await;
    assert_eq!(refused.error(409, "yourself"), "you cannot suspend yourself");
    let refused = operator.patch("/api/v1/users/operator", json!({"is_admin": false})).await;
    assert_eq!(refused.error(409, "yourself"), "you cannot take your own operator's rights");
    assert!(operator.whoami().await.is_admin);
}

#[tokio::test]
async fn a_user_becomes_an_operator_and_is_one_no_longer() {
    let app = TestApp::start().await;
    let (operator, alice) = (app.admin("operator").await, app.user("alice").await);
    let info: UserInfo = operator.patch("/api/v1/users/alice", json!({"is_admin": true})).await.good(200);
    assert!(info.user.is_admin);
    alice.get("/api/v1/users").await.good::<Vec<UserInfo>>(200);
    let info: UserInfo = operator.patch("/api/v1/users/alice", json!({"is_admin": false})).await.good(200);
    assert!(!info.user.is_admin);
    alice.get("/api/v1/users").await.error(403, "admins_only");
}

#[tokio::test]
async fn a_plan_is_given_if_there_is_one() {
    let app = TestApp::start().await;
    let (operator, _) = (app.admin("operator").await, app.user("alice").await);
    operator.patch("/api/v1/users/alice", json!({"plan": "nothing"})).await.error(404, "plan_not_found");
    let info: UserInfo = operator.patch("/api/v1/users/alice", json!({"plan": "unlimited"})).await.good(200);
    assert_eq!(info.plan, "unlimited");
}

#[tokio::test]
async fn an_invitation_that_is_taken_back_lets_nobody_in() {
    let app = TestApp::start_with(|config| config.registration = Registration::Invitation).await;
    let operator = app.admin("operator").await;
    let (one, other): (Invitation, Invitation) = (
        operator.post("/api/v1/invitations", json!({})).await.good(201),
        operator.post("/api/v1/invitations", json!({})).await.good(201),
    );
    let register = async |name: &str, code: &str| {
        let body = json!({"username": name, "password": PASSWORD, "invitation": code});
        app.anonymous().post("/api/v1/register", body).await
    };
    register("alice", &one.code).await.good::<TokenGrant>(201);
    let answer = operator.get("/api/v1/invitations").await;
    assert!(!answer.text().contains(&one.code) && !answer.text().contains(&other.code));
    let listed: Vec<InvitationInfo> = answer.good(200);
    assert_eq!(listed.len(), 2);
    let used = listed.iter().find(|invitation| invitation.used_by.is_some()).unwrap();
    let open = listed.iter().find(|invitation| invitation.used_by.is_none()).unwrap();
    assert_eq!(used.used_by.as_ref().unwrap().as_str(), "alice");
    assert_eq!(open.created_by.as_str(), "operator");
    operator.delete(&format!("/api/v1/invitations/{}", used.id)).await.error(404, "invitation_not_found");
    operator.delete(&format!("/api/v1/invitations/{}", open.id)).await.done();
    register("bob", &other.code).await.error(403, "invitation_required");
}
