//! Words that lead on: what to do next, whose something is, when it happened.

use serde_json::{Value, json};

use crate::fake::{Browser, Fake, alice};

const THEN: i64 = 1_795_219_750_123;
const ID: &str = "0197a000-0000-7000-8000-0000000000ab";

fn operator() -> Value {
    let mut admin = alice();
    admin["name"] = json!("admin");
    admin["is_admin"] = json!(true);
    admin
}

/// A handler whose team is suspended.
fn handler() -> Value {
    let mut handler = crate::handlers::handler("viewer");
    handler["suspended"] = json!("it asks for <b>passwords</b>");
    handler
}

#[tokio::test]
async fn an_error_says_what_to_do_on_a_page_and_not_at_a_terminal() {
    let api = Fake::new();
    api.on("GET /api/v1/sign-in", json!({ "registration": "off", "providers": [] }));
    api.refuses("POST /api/v1/sessions", 401, "wrong_credentials", "no user has this name and this password");
    let mut browser = Browser::new(&api);
    let page = browser.send("/sign-in", &[("username", "alice"), ("password", "wrong")]).await;
    page.says("Check both, and try again.").says_no("do something else");
    page.says("Ask whoever operates this server for a code, then <a href=\"/reset\">set a new password</a>");
    api.refuses("POST /api/v1/reset", 403, "reset_invalid", "this code sets no password");
    let password = "correct horse battery";
    let page = browser.send("/reset", &[("code", "c"), ("password", password), ("again", password)]).await;
    page.is(403).says("Ask whoever operates this server for another code.");
}

#[tokio::test]
async fn handlers_of_a_suspended_team_say_so_in_the_list() {
    let api = Fake::new();
    api.on("GET /api/v1/handlers", json!([handler()]));
    api.on("GET /api/v1/charts", json!([]));
    let page = Browser::of_alice(&api).get("/handlers").await;
    page.is(200).says("<span class=\"badge bad\">suspended</span>").says("passwords").says_no("<b>passwords");
}

#[tokio::test]
async fn an_operator_is_not_offered_to_lock_themselves_out() {
    let api = Fake::new();
    api.on("GET /api/v1/whoami", operator());
    api.on("GET /api/v1/plans", json!([{ "name": "standard", "is_default": true }]));
    let mut info = operator();
    let more =
        json!({"is_team": false, "plan": "standard", "handlers": 0, "suspension": null, "seen_at": null});
    info.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    api.on("GET /api/v1/users/admin", info.clone());
    info["name"] = json!("ada");
    api.on("GET /api/v1/users/ada", info);
    let mut browser = Browser::of_alice(&api);
    let page = browser.get("/operator/users/admin").await;
    page.is(200).says("This is you").says_no(">Suspend admin<").says_no("admin no operator<");
    let page = browser.get("/operator/users/ada").await;
    page.is(200).says(">Suspend ada<").says(">Make ada no operator<").says_no("This is you");
}

#[tokio::test]
async fn invitations_are_offered_where_they_are_asked_for_with_a_link_to_copy() {
    let api = Fake::new();
    api.on("GET /api/v1/whoami", operator());
    api.on("GET /api/v1/invitations", json!([]));
    api.on("GET /api/v1/server", json!({ "version": "0.1.0", "registration": "open" }));
    let mut browser = Browser::of_alice(&api);
    let page = browser.get("/operator/invitations").await;
    page.is(200).says("--registration invitation").says_no(">Make an invitation<");
    api.on("GET /api/v1/server", json!({ "version": "0.1.0", "registration": "invitation" }));
    browser.get("/operator/invitations").await.is(200).says(">Make an invitation<");
    api.on("POST /api/v1/invitations", json!({ "code": "inv-1", "expires_at": THEN }));
    let page = browser.send("/operator/invitations", &[]).await;
    page.says("<code>http://localhost/register?invitation=inv-1</code>");
}

#[tokio::test]
async fn changes_are_told_to_the_second_and_with_their_request() {
    let api = Fake::new();
    api.on("GET /api/v1/whoami", operator());
    let entry = json!({
        "position": 1, "at": THEN, "actor": "ada", "via": "password", "action": "handler.promote", "subject": "hello",
        "detail": {}, "peer": "192.0.2.7", "request_id": ID, "status": 200,
    });
    api.on("GET /api/v1/audit", json!({ "entries": [entry] }));
    let page = Browser::of_alice(&api).get("/operator/audit").await;
    page.is(200).says("21 Nov 2026, 00:09:10 UTC").says(ID);
}

#[tokio::test]
async fn tokens_and_identities_are_told_apart() {
    let api = Fake::new();
    let token = json!({
        "id": ID, "label": "CI", "created_at": THEN, "expires_at": THEN, "used_at": null, "scopes": ["read"],
        "handlers": null, "current": false,
    });
    api.on("GET /api/v1/tokens", json!([token]));
    let mut browser = Browser::of_alice(&api);
    let page = browser.get("/account/tokens").await;
    page.is(200).says(">…0000000000ab</code>").says("data-label=\"Made\"");
    let providers = json!([{ "name": "forge", "title": "The Forge" }]);
    api.on("GET /api/v1/sign-in", json!({ "registration": "off", "providers": providers }));
    let identity = |provider: &str| json!({ "id": ID, "provider": provider, "label": "al", "created_at": THEN, "used_at": null });
    let identities = [identity("forge"), identity("gone")];
    api.on("GET /api/v1/account", json!({ "user": alice(), "has_password": true, "identities": identities }));
    let page = browser.get("/account/identities").await;
    page.is(200).says("<td data-label=\"Where\">The Forge</td>").says("<td data-label=\"Where\">gone</td>");
}
