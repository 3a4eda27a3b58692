//! The pages of an account.

use serde_json::{Value, json};

use crate::fake::{Browser, Fake, LATER, SCRIPT, alice};

const ID: &str = "0197a000-0000-7000-8000-000000000002";
const THEN: i64 = 1_795_219_750_123;

fn account(has_password: bool) -> Value {
    let identity = json!({ "id": ID, "provider": "forge", "label": format!("al {SCRIPT}"), "created_at": THEN, "used_at": null });
    json!({ "user": alice(), "has_password": has_password, "identities": [identity] })
}

/// An API that knows all of an account, and a browser in which its user is signed in.
fn alices() -> (std::sync::Arc<Fake>, Browser) {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    api.on("GET /api/v1/account", account(true));
    let limited = json!({
        "id": ID, "label": format!("ci {SCRIPT}"), "created_at": THEN, "expires_at": LATER, "used_at": THEN,
        "scopes": ["deploy", "read"], "handlers": ["hello", "bye"], "current": false,
    });
    api.on("GET /api/v1/tokens", json!([limited]));
    let session = |id: &str, current: bool| {
        json!({
            "id": id, "user_agent": format!("odd {SCRIPT}"), "peer": "192.0.2.7", "created_at": THEN,
            "seen_at": THEN, "expires_at": LATER, "current": current,
        })
    };
    let (this, other) = ("0197a000-0000-7000-8000-00000000000a", "0197a000-0000-7000-8000-00000000000b");
    api.on("GET /api/v1/sessions", json!([session(other, false), session(this, true)]));
    api.on(&format!("DELETE /api/v1/sessions/{}", encoded(other)), Value::Null);
    api.on(
        "GET /api/v1/plans",
        json!([{ "name": "standard", "is_default": true }, { "name": "large", "handlers_max": 500 }]),
    );
    api.on("GET /api/v1/quotas", quotas(Value::Null));
    let browser = Browser::of_alice(&api);
    (api, browser)
}

fn encoded(id: &str) -> String {
    id.replace('-', "%2D")
}

fn quotas(request: Value) -> Value {
    json!({
        "account": "alice", "plan": "standard", "request": request,
        "quotas": [
            { "name": "handlers", "used": 12, "max": 50, "resets_at": null },
            { "name": "storage_bytes", "used": 524_288_000_u64, "max": 524_288_000_u64, "resets_at": null },
            { "name": "invocations_per_minute", "used": 7, "max": null, "resets_at": LATER },
            { "name": "cpu_ms_per_day", "used": 90_000, "max": 3_600_000, "resets_at": LATER },
        ],
    })
}

#[tokio::test]
async fn nothing_that_somebody_named_is_html() {
    let (_, mut browser) = alices();
    for path in
        ["/account", "/account/tokens", "/account/sessions", "/account/identities", "/account/password"]
    {
        let page = browser.get(path).await;
        page.is(200).says_no("<script>alert");
        if path != "/account/password" {
            page.says("&#60;script&#62;");
        }
    }
}

#[tokio::test]
async fn nobody_sees_an_account_without_signing_in() {
    let (api, _) = alices();
    for path in ["/account", "/account/tokens", "/account/quota", "/teams", "/teams/crew", "/device"] {
        let page = Browser::new(&api).get(path).await;
        assert!(page.to().starts_with("/sign-in?next="), "{path}: {}", page.to());
    }
}

#[tokio::test]
async fn a_password_is_changed_with_the_one_so_far() {
    let (api, mut browser) = alices();
    api.on("PUT /api/v1/account/password", Value::Null);
    let (old, new) = ("the old password", "the new password");
    let fields = [("old", old), ("password", new), ("again", new), ("revoke_tokens", "yes")];
    assert_eq!(browser.send("/account/password", &fields).await.to(), "/account");
    let told = json!({ "old": old, "new": new, "revoke_tokens": true });
    assert_eq!(api.told("PUT /api/v1/account/password"), told);
    browser.get("/account").await.says("and your tokens, have ended");
    api.refuses("PUT /api/v1/account/password", 401, "wrong_password", "the password so far is another");
    let page = browser.send("/account/password", &fields).await;
    page.is(422).says("the password so far is another").says("checked").says_no(new).says_no(old);
}

#[tokio::test]
async fn who_has_no_password_is_not_asked_for_one() {
    let (api, mut browser) = alices();
    api.on("GET /api/v1/account", account(false));
    api.on("PUT /api/v1/account/password", Value::Null);
    browser.get("/account/password").await.says_no("name=\"old\"").says("Set the password");
    let new = "the new password";
    browser.send("/account/password", &[("password", new), ("again", new)]).await.is(303);
    assert_eq!(api.told("PUT /api/v1/account/password"), json!({ "new": new, "revoke_tokens": false }));
}

#[tokio::test]
async fn a_token_is_made_within_its_limits_and_shown_once() {
    let (api, mut browser) = alices();
    let made = json!({ "token": "eyJ.new.token", "id": ID, "expires_at": LATER, "user": alice() });
    api.on("POST /api/v1/tokens", made);
    let fields = [
        ("label", " ci "),
        ("scope", "invoke"),
        ("scope", "read"),
        ("handlers", "hello, bye\r\nthird"),
        ("days", "30"),
    ];
    let page = browser.send("/account/tokens", &fields).await;
    page.is(200).says("eyJ.new.token").says("data-copy hidden");
    let told = json!({ "label": "ci", "days": 30, "scopes": ["invoke", "read"], "handlers": ["hello", "bye", "third"] });
    assert_eq!(api.told("POST /api/v1/tokens"), told);
    let page = browser.get("/account/tokens").await;
    page.says_no("eyJ.new.token").says("<code>hello</code>, <code>bye</code>").says("deploy");
}

#[tokio::test]
async fn a_token_that_cannot_be_is_not_asked_for() {
    let (api, mut browser) = alices();
    let page = browser.send("/account/tokens", &[("label", "ci"), ("days", "7")]).await;
    page.is(422).says("a token with no scope can do nothing").says("value=\"ci\"");
    let fields = [("label", "ci"), ("scope", "read"), ("handlers", "Hello!")];
    browser.send("/account/tokens", &fields).await.is(422).says("Hello!");
    assert_eq!(api.changes().len(), 0);
    api.refuses("POST /api/v1/tokens", 422, "invalid_label", "a label has 1 to 100 characters");
    let page = browser.send("/account/tokens", &[("label", ""), ("scope", "admin"), ("days", "365")]).await;
    page.is(422).says("1 to 100 characters").says("value=\"365\" selected");
}

#[tokio::test]
async fn a_token_is_revoked() {
    let (api, mut browser) = alices();
    api.on(&format!("DELETE /api/v1/tokens/{}", encoded(ID)), Value::Null);
    let page = browser.send(&format!("/account/tokens/{ID}/revoke"), &[]).await;
    assert_eq!(page.to(), "/account/tokens");
    assert_eq!(api.changes()[0].what, format!("DELETE /api/v1/tokens/{}", encoded(ID)));
}

#[tokio::test]
async fn all_other_sessions_end_and_this_one_does_not() {
    let (api, mut browser) = alices();
    let page = browser.get("/account/sessions").await;
    page.says("this one").says("192.0.2.7");
    assert_eq!(page.body.matches("/end\"").count(), 1, "this session is ended by signing out");
    assert_eq!(browser.send("/account/sessions/end-others", &[]).await.to(), "/account/sessions");
    let changes: Vec<String> = api.changes().into_iter().map(|asked| asked.what).collect();
    assert_eq!(
        changes,
        [format!("DELETE /api/v1/sessions/{}", encoded("0197a000-0000-7000-8000-00000000000b"))]
    );
    browser.get("/account/sessions").await.says("The other session has ended.");
}

#[tokio::test]
async fn an_identity_is_linked_and_unlinked() {
    let (api, mut browser) = alices();
    api.on(
        "GET /api/v1/sign-in",
        json!({ "registration": "off", "providers": [{ "name": "forge", "title": "Forge" }] }),
    );
    let begun = json!({ "url": "https://forge.example/authorize?state=s", "flow": "f", "expires_at": LATER });
    api.on("POST /api/v1/oidc/forge/begin", begun);
    browser
        .send("/account/identities/link/forge", &[])
        .await
        .is(200)
        .says("url=https://forge.example/authorize?state=s");
    assert_eq!(api.told("POST /api/v1/oidc/forge/begin"), json!({ "link": true }));
    let identity =
        json!({ "id": ID, "provider": "forge", "label": "al", "created_at": THEN, "used_at": null });
    api.on("POST /api/v1/oidc/finish", json!({ "kind": "linked", "identity": identity }));
    let page = browser.get("/sign-in/forge/callback?state=s&code=c").await;
    assert_eq!(page.to(), "/account/identities");
    browser.get("/account/identities").await.says("You are al at Forge now");
    let unlink = format!("DELETE /api/v1/account/identities/{}", encoded(ID));
    api.refuses(&unlink, 409, "last_way_in", "you could not sign in any more");
    let page = browser.send(&format!("/account/identities/{ID}/unlink"), &[]).await;
    page.is(409).says("you could not sign in any more");
    api.on(&unlink, Value::Null);
    let page = browser.send(&format!("/account/identities/{ID}/unlink"), &[]).await;
    assert_eq!(page.to(), "/account/identities");
}

#[tokio::test]
async fn quotas_are_bars_with_what_is_left_and_when_they_begin_anew() {
    let (_, mut browser) = alices();
    let page = browser.get("/account/quota").await;
    page.is(200).says("12 of 50").says("500 MiB of 500 MiB").says("used up").says("1 min 30 s of 1 h");
    page.says("<meter min=\"0\" max=\"50\"").says("7, no limit").says("Counted anew at <time");
    page.says("value=\"large\"").says_no("value=\"standard\"");
}

#[tokio::test]
async fn a_larger_plan_is_applied_for_and_the_request_is_seen() {
    let (api, mut browser) = alices();
    let request = json!({
        "id": ID, "account": "alice", "asked_by": "alice", "plan_now": "standard", "plan": "large",
        "reason": SCRIPT, "state": "refused", "note": format!("no {SCRIPT}"), "created_at": THEN, "decided_at": THEN,
    });
    api.on("POST /api/v1/plan-requests", request.clone());
    let fields = [("plan", "large"), ("reason", " a fair "), ("csrf2", "")];
    assert_eq!(browser.send("/account/quota", &fields).await.to(), "/account/quota");
    assert_eq!(api.told("POST /api/v1/plan-requests"), json!({ "plan": "large", "reason": "a fair" }));
    api.on("GET /api/v1/quotas", quotas(request));
    browser.get("/account/quota").await.says("refused").says("&#60;script&#62;").says_no("<script>alert");
    api.refuses("POST /api/v1/plan-requests", 422, "invalid_reason", "say what for");
    let page = browser.send("/account/quota", &[("plan", "large"), ("reason", "")]).await;
    page.is(422).says("say what for").says("value=\"large\" required checked");
}
