//! Logins of programs that somebody approves in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use wasmcloud_wire::body::{LoginBegun, LoginDecided, PendingLogin, SessionInfo, Token, TokenGrant};
use wasmcloud_wire::{Digest, Timestamp};

use super::signed_in;
use crate::app::{Answer, Client, TestApp};

const VERIFIER: &str = "a-verifier-that-only-the-program-knows-0123456789";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(VERIFIER.as_bytes()).as_bytes())
}

async fn begin(app: &TestApp, port: Option<u16>) -> LoginBegun {
    let body = json!({"code_challenge": challenge(), "label": "a laptop", "redirect_port": port});
    app.anonymous().post("/api/v1/logins", body).await.good(201)
}

async fn fetch(app: &TestApp, begun: &LoginBegun, verifier: &str, code: Option<&str>) -> Answer {
    let body = json!({"code_verifier": verifier, "code": code});
    app.anonymous().post(&format!("/api/v1/logins/{}/token", begun.id), body).await
}

async fn decide(client: &Client, begun: &LoginBegun, approve: bool) -> Answer {
    client.post(&format!("/api/v1/logins/{}/decision", begun.user_code), json!({"approve": approve})).await
}

#[tokio::test]
async fn a_code_that_is_approved_gives_its_program_one_token() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let alice = signed_in(&app, "alice").await;
    let begun = begin(&app, None).await;
    assert_eq!(begun.url, "http://localhost:3000/device");
    assert_eq!(begun.url_with_code, format!("{}?code={}", begun.url, begun.user_code));
    assert_eq!((begun.user_code.len(), begun.interval_s), (9, 5));
    let minutes = (begun.expires_at.0 - Timestamp::now().0 + 30_000) / 60_000;
    assert_eq!(minutes, 15);

    let typed = begun.user_code.to_lowercase().replace('-', "");
    let pending: PendingLogin = alice.get(&format!("/api/v1/logins/{typed}")).await.good(200);
    assert_eq!((pending.label.as_str(), pending.user_code.as_str()), ("a laptop", begun.user_code.as_str()));
    assert_eq!(pending.peer, "127.0.0.1");
    let decided: LoginDecided = decide(&alice, &begun, true).await.good(200);
    assert_eq!(decided.redirect, None);
    decide(&alice, &begun, false).await.error(404, "login_not_found");

    fetch(&app, &begun, &VERIFIER.replace('a', "b"), None).await.error(410, "login_expired");
    let grant: TokenGrant = fetch(&app, &begun, VERIFIER, None).await.good(200);
    let program = app.with_token(&grant.token);
    assert_eq!(program.whoami().await.name.as_str(), "alice");
    let tokens: Vec<Token> = program.get("/api/v1/tokens").await.good(200);
    assert!(tokens.iter().any(|token| token.current && token.label == "a laptop"));
}

#[tokio::test]
async fn a_login_is_fetched_once() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, Some(4000)).await);
    let decided: LoginDecided = decide(&alice, &begun, true).await.good(200);
    let redirect = decided.redirect.unwrap();
    let code = redirect.strip_prefix("http://127.0.0.1:4000/?code=").unwrap();
    let (code, state) = code.split_once("&state=").unwrap();
    assert_eq!(state, begun.id.to_string());
    // Whoever began it for another person's browser never learns the code.
    fetch(&app, &begun, VERIFIER, Some("0000")).await.error(403, "wrong_code");
    fetch(&app, &begun, VERIFIER, Some(code)).await.error(429, "slow_down");
    let again = begin(&app, Some(4000)).await;
    let decided: LoginDecided = decide(&alice, &again, true).await.good(200);
    let redirect = decided.redirect.unwrap();
    let code = redirect.split("code=").nth(1).unwrap().split('&').next().unwrap();
    fetch(&app, &again, VERIFIER, Some(code)).await.good::<TokenGrant>(200);
    let begun = LoginBegun { interval_s: 0, ..again };
    assert!(matches!(fetch(&app, &begun, VERIFIER, Some(code)).await.status, 410 | 429));
}

#[tokio::test]
async fn a_program_that_asks_too_often_is_told_to_slow_down() {
    let app = TestApp::start().await;
    let begun = begin(&app, None).await;
    fetch(&app, &begun, VERIFIER, None).await.error(409, "login_pending");
    let answer = fetch(&app, &begun, VERIFIER, None).await;
    answer.error(429, "slow_down");
    assert_eq!(answer.header("retry-after"), Some("5"));
    let missing = LoginBegun { id: uuid::Uuid::new_v4(), ..begun };
    fetch(&app, &missing, VERIFIER, None).await.error(410, "login_expired");
    let answer =
        app.anonymous().post("/api/v1/logins/nonsense/token", json!({"code_verifier": VERIFIER})).await;
    answer.error(410, "login_expired");
}

#[tokio::test]
async fn a_login_that_is_refused_gives_nothing() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let alice = signed_in(&app, "alice").await;
    let (device, here) = (begin(&app, None).await, begin(&app, Some(4000)).await);
    decide(&alice, &device, false).await.good::<LoginDecided>(200);
    // Nothing is kept of such a question: each has the same answer.
    for _ in 0..2 {
        fetch(&app, &device, VERIFIER, None).await.error(403, "login_denied");
    }
    let decided: LoginDecided = decide(&alice, &here, false).await.good(200);
    assert_eq!(
        decided.redirect.unwrap(),
        format!("http://127.0.0.1:4000/?error=access_denied&state={}", here.id)
    );
    fetch(&app, &here, VERIFIER, None).await.error(403, "login_denied");
}

#[tokio::test]
async fn only_a_session_approves_a_login() {
    let app = TestApp::start().await;
    let token = app.user("alice").await;
    let begun = begin(&app, None).await;
    decide(&token, &begun, true).await.error(403, "session_needed");
    decide(&app.anonymous(), &begun, true).await.error(401, "unauthorized");
    fetch(&app, &begun, VERIFIER, None).await.error(409, "login_pending");
}

#[tokio::test]
async fn codes_are_guessed_five_times_a_minute() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, None).await);
    for _ in 0..5 {
        alice.get("/api/v1/logins/BBBB-BBBB").await.error(404, "login_not_found");
    }
    alice.get(&format!("/api/v1/logins/{}", begun.user_code)).await.error(429, "too_many_tries");
    let guess = LoginBegun { user_code: "BBBB-BBBB".to_owned(), ..begun };
    for _ in 0..5 {
        decide(&alice, &guess, true).await.error(404, "login_not_found");
    }
    decide(&alice, &guess, true).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn one_address_begins_twenty_logins_a_minute() {
    let app = TestApp::start().await;
    for _ in 0..20 {
        begin(&app, None).await;
    }
    let body = json!({"code_challenge": challenge(), "label": "a laptop"});
    app.anonymous().post("/api/v1/logins", body).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn what_cannot_be_a_login_is_refused_with_the_rule() {
    let app = TestApp::start().await;
    for (challenge, label) in
        [("short", "x"), ("", "x"), (challenge().as_str(), ""), (challenge().as_str(), "a\nb")]
    {
        let body = json!({"code_challenge": challenge, "label": label});
        app.anonymous().post("/api/v1/logins", body).await.error(422, "invalid");
    }
    let begun = begin(&app, None).await;
    fetch(&app, &begun, "short", None).await.error(422, "invalid");
}

#[tokio::test]
async fn a_suspended_user_gets_no_token_by_a_login_that_was_approved_before() {
    use wasmcloud_api::store::PeopleStore as _;
    let app = TestApp::start().await;
    app.admin("operator").await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, None).await);
    decide(&alice, &begun, true).await.good::<LoginDecided>(200);
    let id = alice.whoami().await.id;
    app.store.suspend(id, "why", Timestamp::now()).await.unwrap();
    fetch(&app, &begun, VERIFIER, None).await.error(403, "suspended");
}

#[tokio::test]
async fn one_address_asks_for_tokens_120_times_a_minute() {
    let app = TestApp::start().await;
    let missing = format!("/api/v1/logins/{}/token", uuid::Uuid::new_v4());
    let client = app.anonymous();
    for _ in 0..120 {
        client.post(&missing, json!({"code_verifier": VERIFIER})).await.error(410, "login_expired");
    }
    client.post(&missing, json!({"code_verifier": VERIFIER})).await.error(429, "too_many_tries");
}

#[tokio::test]
async fn a_strangers_user_name_counts_for_nobodys_codes() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, None).await);
    for name in ["codes alice", "decisions alice"] {
        for _ in 0..5 {
            let body = json!({"username": name, "password": "not the password"});
            app.anonymous().post("/api/v1/login", body).await.error(401, "wrong_credentials");
        }
    }
    alice.get(&format!("/api/v1/logins/{}", begun.user_code)).await.good::<PendingLogin>(200);
    decide(&alice, &begun, true).await.good::<LoginDecided>(200);
}

#[tokio::test]
async fn a_login_whose_approver_has_ended_a_session_gives_nothing() {
    let app = TestApp::start().await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, None).await);
    decide(&alice, &begun, true).await.good::<LoginDecided>(200);
    let sessions: Vec<SessionInfo> = alice.get("/api/v1/sessions").await.good(200);
    alice.delete(&format!("/api/v1/sessions/{}", sessions[0].id)).await.done();
    fetch(&app, &begun, VERIFIER, None).await.error(410, "login_expired");
}

#[tokio::test]
async fn a_login_whose_approver_has_a_new_password_gives_nothing() {
    use wasmcloud_api::store::{Keep, KeepTokens, PeopleStore as _};
    let app = TestApp::start().await;
    app.user("alice").await;
    let (alice, begun) = (signed_in(&app, "alice").await, begin(&app, None).await);
    decide(&alice, &begun, true).await.good::<LoginDecided>(200);
    let id = alice.whoami().await.id;
    let old = app.store.password_hash(id).await.unwrap().unwrap();
    let keep = Keep { session: None, tokens: KeepTokens::All };
    assert!(app.store.set_password(id, &old, "another", keep, Timestamp::now()).await.unwrap());
    fetch(&app, &begun, VERIFIER, None).await.error(410, "login_expired");
}
