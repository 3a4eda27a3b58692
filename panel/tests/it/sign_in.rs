//! Signing in, registering, resetting, providers and devices.

use serde_json::{Value, json};
use wasmcloud_panel::SESSION_COOKIE;

use crate::fake::{Browser, Fake, LATER, SCRIPT, SECRET, alice, grant, token};

const FLOW: &str = "__Host-wasmcloud-flow";
const VISITOR: &str = "__Host-wasmcloud-visitor";

fn providers() -> Value {
    json!({ "registration": "invitation", "providers": [{ "name": "forge", "title": format!("Forge {SCRIPT}") }] })
}

#[tokio::test]
async fn whoever_signs_in_has_a_new_session_and_goes_where_they_wanted_to() {
    let api = Fake::new();
    api.on("POST /api/v1/sessions", grant());
    let mut browser = Browser::new(&api);
    let page = browser.get("/account/tokens?x=1").await;
    assert_eq!(page.to(), "/sign-in?next=%2Faccount%2Ftokens%3Fx%3D1");
    browser.get(page.to()).await.is(200).says("value=\"/account/tokens?x=1\"");
    assert!(browser.cookies.contains_key(VISITOR));
    let fields = [("username", " alice "), ("password", "a long password"), ("next", "/account/tokens?x=1")];
    let page = browser.send("/sign-in", &fields).await;
    assert_eq!((page.status, page.to()), (303, "/account/tokens?x=1"));
    assert_eq!(browser.cookies.get(SESSION_COOKIE).map(String::as_str), Some(SECRET));
    assert!(!browser.cookies.contains_key(VISITOR), "what tied forms to the browser before is done with");
    assert_eq!(
        api.told("POST /api/v1/sessions"),
        json!({ "username": "alice", "password": "a long password" })
    );
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    api.on("POST /api/v1/sessions", json!({ "secret": "another", "expires_at": LATER, "user": alice() }));
    let mut browser = Browser::of_alice(&api);
    browser.send("/sign-in", &[("username", "alice"), ("password", "a long password")]).await.is(303);
    assert_eq!(browser.cookies.get(SESSION_COOKIE).map(String::as_str), Some("another"));
    let changes = api.changes();
    assert_eq!(changes[1].what, "POST /api/v1/logout");
    assert_eq!(changes[1].authorization.as_deref(), Some(format!("Session {SECRET}").as_str()));
}

#[tokio::test]
async fn a_sign_in_that_is_refused_says_why_and_keeps_the_name_alone() {
    let api = Fake::new();
    api.refuses("POST /api/v1/sessions", 401, "wrong_credentials", "no user has this name and this password");
    let page = Browser::new(&api).send("/sign-in", &[("username", SCRIPT), ("password", "secret-1")]).await;
    page.is(422).says("no user has this name and this password").says("role=\"alert\"");
    page.says_no("secret-1").says_no("<script>alert");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_back() {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    let mut browser = Browser::of_alice(&api);
    let page = browser.send("/sign-out", &[]).await;
    assert_eq!(page.to(), "/sign-in");
    assert!(!browser.cookies.contains_key(SESSION_COOKIE));
    assert_eq!(api.changes()[0].what, "POST /api/v1/logout");
    browser.get("/sign-in").await.says("You are signed out.");
    browser.get("/sign-in").await.says_no("You are signed out.");
}

#[tokio::test]
async fn a_session_outlives_an_api_that_does_not_work_and_ends_with_a_suspension() {
    let api = Fake::new();
    let mut browser = Browser::of_alice(&api);
    api.refuses("GET /api/v1/whoami", 503, "unavailable", "the database does not answer");
    browser.get("/teams").await.is(503).says("the database does not answer");
    assert!(browser.cookies.contains_key(SESSION_COOKIE), "it may be good again in a minute");
    api.refuses("GET /api/v1/whoami", 403, "suspended", "your account is suspended: mines coins");
    browser.get("/teams").await.is(403).says("your account is suspended: mines coins");
    assert!(!browser.cookies.contains_key(SESSION_COOKIE));
    browser.get("/sign-in").await.is(200);
}

#[tokio::test]
async fn a_newcomer_gets_a_session_and_the_token_of_the_registration_ends() {
    let api = Fake::new();
    api.on("GET /api/v1/sign-in", json!({ "registration": "invitation", "providers": [] }));
    let id = "0197a000-0000-7000-8000-000000000009";
    let granted = json!({ "token": "jwt", "id": id, "expires_at": LATER, "user": alice() });
    api.on("POST /api/v1/register", granted);
    api.on("POST /api/v1/sessions", grant());
    let revoke = format!("DELETE /api/v1/tokens/{}", id.replace('-', "%2D"));
    api.on(&revoke, Value::Null);
    let mut browser = Browser::new(&api);
    browser.get("/register?invitation=abc%22def").await.says("value=\"abc&#34;def\"").says("required");
    let password = "a long password";
    let fields =
        [("username", "alice"), ("password", password), ("again", password), ("invitation", " abcdef ")];
    let page = browser.send("/register", &fields).await;
    assert_eq!((page.status, page.to()), (303, "/handlers"));
    assert_eq!(
        api.told("POST /api/v1/register"),
        json!({ "username": "alice", "password": password, "invitation": "abcdef" })
    );
    let last = api.changes().pop().unwrap();
    assert_eq!(last.what, revoke);
    assert_eq!(last.authorization.as_deref(), Some(format!("Session {SECRET}").as_str()));
}

#[tokio::test]
async fn registration_says_what_is_wrong_and_is_as_the_operator_wants_it() {
    let api = Fake::new();
    let mut browser = Browser::new(&api);
    browser.get("/register").await.is(200).says_no("name=\"invitation\"");
    let differ = [("username", "alice"), ("password", "a long password"), ("again", "another password")];
    browser.send("/register", &differ).await.is(422).says("not the same").says("value=\"alice\"");
    assert_eq!(api.changes().len(), 0);
    api.refuses("POST /api/v1/register", 409, "name_taken", "`alice` is taken");
    let fields = [("username", "alice"), ("password", "a long password"), ("again", "a long password")];
    browser.send("/register", &fields).await.is(409).says("`alice` is taken");
    api.on("GET /api/v1/sign-in", json!({ "registration": "off", "providers": [] }));
    browser
        .get("/register")
        .await
        .is(403)
        .says("Nobody can make an account here")
        .says_no("name=\"username\"");
    browser.get("/sign-in").await.says_no("Make an account");
}

#[tokio::test]
async fn a_code_of_an_operator_sets_a_new_password() {
    let api = Fake::new();
    api.on("POST /api/v1/reset", Value::Null);
    let mut browser = Browser::new(&api);
    browser.get("/reset?code=c0de").await.is(200).says("value=\"c0de\"");
    let password = "a long password";
    let page = browser.send("/reset", &[("code", "c0de"), ("password", password), ("again", password)]).await;
    assert_eq!(page.to(), "/sign-in");
    assert_eq!(api.told("POST /api/v1/reset"), json!({ "code": "c0de", "password": password }));
    browser.get("/sign-in").await.says("Your new password is set.");
    api.refuses("POST /api/v1/reset", 403, "code_invalid", "this code is not good");
    let page = browser.send("/reset", &[("code", "c0de"), ("password", password), ("again", password)]).await;
    page.is(403).says("this code is not good").says("value=\"c0de\"").says_no(password);
}

/// Begins a sign-in at the provider, with a way back.
async fn begun(api: &std::sync::Arc<Fake>, browser: &mut Browser) {
    api.on("GET /api/v1/sign-in", providers());
    let url = "https://forge.example/authorize?state=s&x=%22";
    api.on("POST /api/v1/oidc/forge/begin", json!({ "url": url, "flow": "f.l~ow/1", "expires_at": LATER }));
    let page = browser.send("/sign-in/forge", &[("next", "/teams?a=b.c")]).await;
    page.is(200).says(
        "<meta http-equiv=\"refresh\" content=\"0;url=https://forge.example/authorize?state=s&#38;x=%22\">",
    );
    page.says("<a class=\"button\" href=\"https://forge.example/authorize?state=s&#38;x=%22\"");
    assert!(browser.cookies.contains_key(FLOW));
}

#[tokio::test]
async fn who_signs_in_at_a_provider_comes_back_to_where_they_wanted_to_go() {
    let api = Fake::new();
    let mut browser = Browser::new(&api);
    begun(&api, &mut browser).await;
    assert_eq!(api.told("POST /api/v1/oidc/forge/begin"), json!({ "link": false }));
    api.on("POST /api/v1/oidc/finish", json!({ "kind": "signed_in", "session": grant() }));
    let page =
        browser.get("/sign-in/forge/callback?state=s&code=c%2F1&iss=https%3A%2F%2Fforge.example").await;
    assert_eq!((page.status, page.to()), (303, "/teams?a=b.c"));
    assert_eq!(
        api.told("POST /api/v1/oidc/finish"),
        json!({ "flow": "f.l~ow/1", "provider": "forge", "iss": "https://forge.example", "state": "s", "code": "c/1" })
    );
    assert_eq!(browser.cookies.get(SESSION_COOKIE).map(String::as_str), Some(SECRET));
    assert!(!browser.cookies.contains_key(FLOW), "the flow is used up");
}

#[tokio::test]
async fn who_is_new_chooses_a_name_and_brings_an_invitation() {
    let api = Fake::new();
    let mut browser = Browser::new(&api);
    begun(&api, &mut browser).await;
    let new = json!({ "kind": "new_user", "ticket": "t1cket", "suggested": "carol", "label": format!("carol@{SCRIPT}") });
    api.on("POST /api/v1/oidc/finish", new);
    let page = browser.get("/sign-in/forge/callback?state=s&code=c").await;
    page.is(200)
        .says("value=\"t1cket\"")
        .says("value=\"carol\"")
        .says("name=\"invitation\"")
        .says_no("<script>alert");
    let csrf = token(&page);
    api.refuses("POST /api/v1/oidc/register", 409, "name_taken", "`carol` is taken");
    let fields = [
        ("csrf", csrf.as_str()),
        ("ticket", "t1cket"),
        ("label", "carol@forge"),
        ("next", "/teams"),
        ("username", "carol"),
        ("invitation", "inv"),
    ];
    let page = browser.send_raw("/sign-in/forge/register", &fields, &[]).await;
    page.is(409).says("`carol` is taken").says("value=\"t1cket\"").says("value=\"inv\"").says("carol@forge");
    api.on("POST /api/v1/oidc/register", grant());
    let page = browser.send_raw("/sign-in/forge/register", &fields, &[]).await;
    assert_eq!((page.status, page.to()), (303, "/teams"));
    let told = json!({ "ticket": "t1cket", "username": "carol", "invitation": "inv" });
    assert_eq!(api.changes().pop().unwrap().body, told);
}

#[tokio::test]
async fn a_sign_in_that_a_provider_or_another_browser_spoils_says_so() {
    let api = Fake::new();
    let mut browser = Browser::new(&api);
    begun(&api, &mut browser).await;
    let page =
        browser.get("/sign-in/forge/callback?state=s&error=access_denied&error_description=Call+555").await;
    page.is(403)
        .says("the provider did not sign you in: you, or the provider, did not allow it")
        .says_no("555");
    assert!(!browser.cookies.contains_key(FLOW));
    begun(&api, &mut browser).await;
    let page = browser.get("/sign-in/forge/callback?state=s&error=Call+555").await;
    page.is(403).says("the provider did not sign you in").says_no("555");
    browser.get("/sign-in/forge/callback?state=s&code=c").await.is(400).says("another browser");
    begun(&api, &mut browser).await;
    api.refuses("POST /api/v1/oidc/finish", 401, "sign_in_failed", "the provider's answer is not good");
    let page = browser.get("/sign-in/forge/callback?state=s&code=c").await;
    page.is(403).says("the provider&#39;s answer is not good");
}

#[tokio::test]
async fn a_link_that_somebody_made_up_neither_speaks_in_our_name_nor_ends_a_sign_in() {
    let api = Fake::new();
    let mut browser = Browser::new(&api);
    let made_up = "/sign-in/forge/callback?error=access_denied&error_description=Call+555&state=";
    browser.get(made_up).await.is(400).says("another browser").says_no("555").says_no("allow it");
    begun(&api, &mut browser).await;
    for link in [made_up, "/sign-in/forge/callback?state=t&code=c", "/sign-in/forge/callback?code=c"] {
        browser.get(link).await.is(400).says("another browser").says_no("555");
        assert!(browser.cookies.contains_key(FLOW), "{link}: the sign-in goes on");
    }
    assert!(api.changes().iter().all(|asked| !asked.what.ends_with("/finish")));
    api.on("POST /api/v1/oidc/finish", json!({ "kind": "signed_in", "session": grant() }));
    assert_eq!(browser.get("/sign-in/forge/callback?state=s&code=c").await.status, 303);
}

#[tokio::test]
async fn a_provider_whose_address_is_none_of_the_web_is_not_gone_to() {
    let api = Fake::new();
    let bad = json!({ "url": "javascript:alert(1)", "flow": "f", "expires_at": LATER });
    api.on("POST /api/v1/oidc/forge/begin", bad);
    Browser::new(&api).send("/sign-in/forge", &[]).await.is(502).says_no("alert(1)");
}

fn pending() -> Value {
    json!({
        "user_code": "WDJB-MJHT",
        "label": format!("laptop\u{202e} {SCRIPT}"),
        "peer": "192.0.2.7",
        "created_at": 1_795_219_750_123_i64,
        "expires_at": LATER,
    })
}

#[tokio::test]
async fn a_program_is_approved_by_somebody_who_sees_who_asks() {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    api.on("GET /api/v1/logins/WDJB%2DMJHT", pending());
    let to = Browser::new(&api).get("/device?code=wdjb-mjht").await.to().to_owned();
    assert_eq!(to, "/sign-in?next=%2Fdevice%3Fcode%3Dwdjb-mjht", "after signing in the code is still known");
    let mut browser = Browser::of_alice(&api);
    browser.get("/device").await.is(200).says("name=\"code\"");
    let page = browser.get("/device?code=wdjb-mjht").await;
    page.is(200).says("192.0.2.7").says("21 Nov 2026, 00:09 UTC").says("WDJB-MJHT").says_no("<script>alert");
    page.says("laptop‹U+202E›").says_no("\u{202e}");
    api.on("POST /api/v1/logins/WDJB%2DMJHT/decision", json!({ "redirect": null }));
    let page = browser.send("/device", &[("code", "WDJB-MJHT"), ("decision", "approve")]).await;
    assert_eq!(page.to(), "/device/done");
    assert_eq!(api.told("POST /api/v1/logins/WDJB%2DMJHT/decision"), json!({ "approve": true }));
    browser.get("/device/done").await.says("Approved").says("close this page");
    browser.send("/device", &[("code", "WDJB-MJHT"), ("decision", "deny")]).await;
    assert_eq!(api.changes().pop().unwrap().body, json!({ "approve": false }));
    api.refuses("GET /api/v1/logins/AAAA%2DAAAA", 404, "login_not_found", "no program shows this code");
    browser.get("/device?code=AAAA-AAAA").await.is(422).says("no program shows this code").says("AAAA-AAAA");
}

#[tokio::test]
async fn an_approval_leads_to_a_program_on_the_same_machine_and_nowhere_else() {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    let mut browser = Browser::of_alice(&api);
    let fields = [("code", "WDJB-MJHT"), ("decision", "approve")];
    api.on(
        "POST /api/v1/logins/WDJB%2DMJHT/decision",
        json!({ "redirect": "http://127.0.0.1:4711/?code=x" }),
    );
    let page = browser.send("/device", &fields).await;
    page.is(200).says("content=\"0;url=http://127.0.0.1:4711/?code=x\"");
    for elsewhere in
        ["https://evil.example/", "http://127.0.0.1.evil.example:80/", "http://127.0.0.1@evil.example/"]
    {
        api.on("POST /api/v1/logins/WDJB%2DMJHT/decision", json!({ "redirect": elsewhere }));
        browser.send("/device", &fields).await.is(502).says_no("evil.example");
    }
}
