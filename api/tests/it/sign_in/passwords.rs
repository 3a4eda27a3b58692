//! New passwords, and resets that operators make.

use serde_json::json;
use wasmcloud_api::store::{Keep, KeepTokens, PeopleStore as _};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Account, Audit, PasswordReset, SessionGrant, SessionInfo, TokenGrant};

use super::{as_session, sign_in, signed_in};
use crate::app::{PASSWORD, TestApp};
use crate::eventually::eventually;

const NEW: &str = "another horse battery";

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_with_revoke_tokens_the_tokens() {
    let app = TestApp::start().await;
    let token = app.user("alice").await;
    let (here, there) = (signed_in(&app, "alice").await, signed_in(&app, "alice").await);
    let account: Account = here.get("/api/v1/account").await.good(200);
    assert!(account.has_password && account.identities.is_empty() && account.user.name.as_str() == "alice");

    let change =
        |old: &str, new: &str, revoke: bool| json!({"old": old, "new": new, "revoke_tokens": revoke});
    here.put("/api/v1/account/password", change("not the password", NEW, false))
        .await
        .error(403, "wrong_password");
    here.put("/api/v1/account/password", json!({"new": NEW})).await.error(403, "wrong_password");
    here.put("/api/v1/account/password", change(PASSWORD, "short", false))
        .await
        .error(422, "invalid_password");
    here.put("/api/v1/account/password", change(PASSWORD, NEW, false)).await.done();
    assert_eq!(here.whoami().await.name.as_str(), "alice");
    there.get("/api/v1/whoami").await.error(401, "unauthorized");
    assert_eq!(token.whoami().await.name.as_str(), "alice");
    let listed: Vec<SessionInfo> = here.get("/api/v1/sessions").await.good(200);
    assert_eq!(listed.len(), 1);

    here.put("/api/v1/account/password", change(NEW, PASSWORD, true)).await.done();
    token.get("/api/v1/whoami").await.error(401, "unauthorized");
    sign_in(&app, "alice", PASSWORD).await;
}

#[tokio::test]
async fn the_token_that_changes_the_password_goes_on() {
    let app = TestApp::start().await;
    let (one, other) = (app.user("alice").await, signed_in(&app, "alice").await);
    let ci: TokenGrant = one.post("/api/v1/tokens", json!({"label": "ci"})).await.good(201);
    let change = json!({"old": PASSWORD, "new": NEW, "revoke_tokens": true});
    one.put("/api/v1/account/password", change).await.done();
    assert_eq!(one.whoami().await.name.as_str(), "alice");
    app.with_token(&ci.token).get("/api/v1/whoami").await.error(401, "unauthorized");
    other.get("/api/v1/whoami").await.error(401, "unauthorized");
}

#[tokio::test]
async fn the_password_so_far_is_tried_five_times_a_minute() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let wrong = json!({"old": "not the password", "new": NEW});
    for _ in 0..5 {
        alice.put("/api/v1/account/password", &wrong).await.error(403, "wrong_password");
    }
    let right = json!({"old": PASSWORD, "new": NEW});
    alice.put("/api/v1/account/password", right).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn a_reset_sets_a_password_once_and_ends_everything_else() {
    let app = TestApp::start().await;
    let (operator, alice) = (app.admin("operator").await, app.user("alice").await);
    let browser = signed_in(&app, "alice").await;
    alice.post("/api/v1/users/alice/reset", json!({})).await.error(403, "admins_only");
    operator.post("/api/v1/users/nobody/reset", json!({})).await.error(404, "user_not_found");
    let earlier: PasswordReset = operator.post("/api/v1/users/alice/reset", json!({})).await.good(201);
    let reset: PasswordReset = operator.post("/api/v1/users/alice/reset", json!({})).await.good(201);
    assert_eq!(reset.url, format!("http://localhost:3000/reset?code={}", reset.code));
    let use_code = async |code: &str, password: &str| {
        app.anonymous().post("/api/v1/reset", json!({"code": code, "password": password})).await
    };
    use_code(&earlier.code, NEW).await.error(403, "reset_invalid");
    use_code(&reset.code, "short").await.error(422, "invalid_password");
    use_code(&reset.code, NEW).await.done();
    use_code(&reset.code, NEW).await.error(403, "reset_invalid");
    alice.get("/api/v1/whoami").await.error(401, "unauthorized");
    browser.get("/api/v1/whoami").await.error(401, "unauthorized");
    sign_in(&app, "alice", NEW).await;
}

#[tokio::test]
async fn guesses_of_a_resets_code_are_limited_by_address() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        let guess = json!({"code": "0000", "password": NEW});
        app.anonymous().post("/api/v1/reset", guess).await.error(403, "reset_invalid");
    }
    let guess = json!({"code": "0000", "password": NEW});
    app.anonymous().post("/api/v1/reset", guess).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn a_login_with_the_old_password_does_not_outlive_a_new_one() {
    let app = TestApp::start().await;
    let (operator, alice) = (app.admin("operator").await, app.user("alice").await);
    let id = alice.whoami().await.id;
    let body = json!({"username": "alice", "password": PASSWORD});
    let begun: Vec<_> = ["login", "sessions", "login", "sessions"]
        .map(|way| {
            let (client, body) = (app.anonymous(), body.clone());
            tokio::spawn(async move { (way, client.post(&format!("/api/v1/{way}"), body).await) })
        })
        .into();
    // Each is noted before its password is looked at, one after the other.
    eventually("all of them have begun", || async {
        let audit: Audit = operator.get("/api/v1/audit?limit=20").await.good(200);
        let logins = audit.entries.iter();
        let begun = logins.filter(|entry| matches!(entry.action.as_str(), "login" | "session.create"));
        (begun.count() == 4).then_some(())
    })
    .await;
    let old = app.store.password_hash(id).await.unwrap().unwrap();
    let keep = Keep { session: None, tokens: KeepTokens::Only(None) };
    assert!(app.store.set_password(id, &old, "no hash at all", keep, Timestamp::now()).await.unwrap());
    for login in begun {
        let (way, answer) = login.await.unwrap();
        if answer.status == 401 {
            answer.error(401, "wrong_credentials");
            continue;
        }
        let client = match way {
            "login" => app.with_token(&answer.good::<TokenGrant>(200).token),
            _ => as_session(&app, &answer.good::<SessionGrant>(201).secret),
        };
        client.get("/api/v1/whoami").await.error(401, "unauthorized");
    }
}

#[tokio::test]
async fn of_changes_of_a_password_at_once_one_is_done() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let changes = (0..4).map(|number| {
        let change = json!({"old": PASSWORD, "new": format!("{NEW} {number}")});
        let alice = alice.clone();
        async move { alice.put("/api/v1/account/password", change).await.status }
    });
    let mut done = futures::future::join_all(changes).await;
    done.sort_unstable();
    assert_eq!(done, [204, 403, 403, 403]);
}
