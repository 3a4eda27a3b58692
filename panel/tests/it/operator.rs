//! What operators see, and what their forms ask of the API.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fake::{Browser, Fake, Page, alice};

/// 22 November 2026, in UTC.
const AT: i64 = 1_795_305_600_000;
const REQUEST: &str = "00000000-0000-7000-8000-00000000000a";

/// An installation with one user, and somebody who operates it.
fn operator() -> (Arc<Fake>, Browser) {
    let api = Fake::new();
    api.on("GET /api/v1/whoami", user("admin", true));
    api.on("GET /api/v1/users/ada", ada());
    api.on("GET /api/v1/plans", json!([small(), {"name": "standard", "is_default": true}]));
    let request = json!({
        "id": REQUEST, "account": "ada", "asked_by": "ada", "plan_now": "small", "plan": "standard",
        "reason": "<b>more</b> visitors", "state": "open", "note": null, "created_at": AT, "decided_at": null
    });
    api.on("GET /api/v1/plan-requests?all=true", json!([request]));
    let browser = Browser::of_alice(&api);
    (api, browser)
}

fn user(name: &str, is_admin: bool) -> Value {
    let mut user = alice();
    user["name"] = json!(name);
    user["is_admin"] = json!(is_admin);
    user
}

fn ada() -> Value {
    let mut ada = user("ada", false);
    let more = json!({"is_team": false, "plan": "small", "handlers": 3, "suspension": null, "seen_at": null});
    ada.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ada
}

fn small() -> Value {
    json!({"name": "small", "handlers_max": 5, "storage_bytes_max": 52_428_800, "cpu_ms_per_day_max": 90_000, "is_default": false})
}

/// Expects to be sent on to there.
#[track_caller]
fn goes_to(page: &Page, to: &str) {
    assert_eq!((page.status, page.to()), (303, to), "{}", page.body);
}

#[tokio::test]
async fn for_whoever_is_no_operator_there_are_no_such_pages() {
    let api = Fake::new();
    let mut ada = Browser::of_alice(&api);
    for page in ["", "/users", "/users/ada", "/invitations", "/plans", "/requests", "/executors", "/audit"] {
        ada.get(&format!("/operator{page}")).await.is(404).says("no page at this address");
    }
    ada.send("/operator/users/ada/operator", &[("is_admin", "true")]).await.is(404).says("no page");
    assert!(api.changes().is_empty());
    // Nor is there a way to them.
    ada.get("/operator").await.says_no("href=\"/operator\"");
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_asked_to() {
    let mut browser = Browser::new(&Fake::new());
    goes_to(&browser.get("/operator/users/ada").await, "/sign-in?next=%2Foperator%2Fusers%2Fada");
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing() {
    let (api, mut browser) = operator();
    browser.send_raw("/operator/users/ada/suspend", &[("reason", "x")], &[]).await.is(403).says("form");
    assert!(api.changes().is_empty());
}

#[tokio::test]
async fn the_overview_shows_what_waits_and_what_is_ill() {
    let (api, mut browser) = operator();
    let executor = json!({
        "id": REQUEST, "name": "north", "internal_url": "https://north", "version": "0.1.0", "started_at": AT,
        "running": 2, "running_max": 100, "records_waiting": 0, "records_dropped": 7, "draining": false,
        "health": "silent", "seen_at": AT, "silent_s": 90
    });
    api.on("GET /api/v1/executors", json!([executor]));
    api.on("GET /api/v1/users?limit=100", json!([ada()]));
    let entry = json!({
        "position": 5, "at": AT, "actor": "ada", "via": "session 1", "action": "handler.promote", "subject": "hello",
        "detail": {"version": 3}, "peer": "192.0.2.7", "request_id": REQUEST, "status": 200
    });
    api.on("GET /api/v1/audit?limit=8", json!({"entries": [entry]}));
    let page = browser.get("/operator").await;
    page.is(200)
        .says("1 request waits")
        .says("north: silent for 1 min 30 s")
        .says("handler.promote")
        .says("version 3");
    browser.get("/operator/executors").await.is(200).says("2 of 100").says("badge bad");
}

#[tokio::test]
async fn users_are_found_by_name_and_paged() {
    let (api, mut browser) = operator();
    api.on("GET /api/v1/users?limit=50", json!(vec![ada(); 50]));
    api.on("GET /api/v1/users?query=ad&limit=50", json!([ada()]));
    api.on("GET /api/v1/users?query=%3Cscript%3E&limit=50", json!([]));
    browser.get("/operator/users").await.is(200).says("/operator/users?after=ada");
    browser.get("/operator/users?query=ad").await.is(200).says("value=\"ad\"").says_no("Next page");
    let none = browser.get("/operator/users?query=%3Cscript%3E").await;
    none.is(200).says("&#60;script&#62;").says_no("<script>");
}

#[tokio::test]
async fn an_account_is_changed_by_forms() {
    let (api, mut browser) = operator();
    browser.get("/operator/users/ada").await.is(200).says("<option selected>small</option>");
    api.on("PATCH /api/v1/users/ada", ada());
    api.on("PUT /api/v1/users/ada/suspension", json!({}));
    api.on("DELETE /api/v1/users/ada/suspension", json!({}));
    for (form, fields) in [
        ("plan", [("plan", "standard")]),
        ("operator", [("is_admin", "true")]),
        ("suspend", [("reason", " mines coins ")]),
        ("resume", [("", "")]),
    ] {
        goes_to(&browser.send(&format!("/operator/users/ada/{form}"), &fields).await, "/operator/users/ada");
    }
    let changes = api.changes();
    assert_eq!(changes[0].what, "PATCH /api/v1/users/ada");
    assert_eq!(changes[0].body, json!({"plan": "standard"}));
    assert_eq!(changes[1].body, json!({"is_admin": true}));
    assert_eq!(changes[2].what, "PUT /api/v1/users/ada/suspension");
    assert_eq!(changes[2].body, json!({"reason": "mines coins"}));
    assert_eq!(changes[3].what, "DELETE /api/v1/users/ada/suspension");
}

#[tokio::test]
async fn what_the_api_refuses_is_said_above_the_form_as_it_was_filled_in() {
    let (api, mut browser) = operator();
    api.refuses("PUT /api/v1/users/ada/suspension", 409, "refused", "the last operator cannot be suspended");
    let page = browser.send("/operator/users/ada/suspend", &[("reason", "of <i>course</i>")]).await;
    page.is(409).says("role=\"alert\"").says("the last operator cannot be suspended");
    page.is(409).says("of &#60;i&#62;course").says_no("<i>course");
}

#[tokio::test]
async fn a_reset_and_an_invitation_are_shown_once() {
    let (api, mut browser) = operator();
    let reset = json!({"code": "rst-1", "url": "http://localhost/reset?code=rst-1", "expires_at": AT});
    api.on("POST /api/v1/users/ada/reset", reset);
    browser.send("/operator/users/ada/reset", &[]).await.is(200).says("http://localhost/reset?code=rst-1");
    browser.get("/operator/users/ada").await.is(200).says("ada").says_no("rst-1");

    let there = json!({"id": "abc", "created_by": "admin", "created_at": AT, "expires_at": 4_102_444_800_000_i64, "used_by": null});
    api.on("GET /api/v1/invitations", json!([there]));
    api.on("GET /api/v1/server", json!({"version": "0.1.0", "registration": "off"}));
    api.on("POST /api/v1/invitations", json!({"code": "inv-1", "expires_at": AT}));
    let page = browser.send("/operator/invitations", &[]).await;
    page.is(200).says("inv-1").says("/register?invitation=inv-1").says("--registration invitation");
    browser.get("/operator/invitations").await.is(200).says("abc").says_no("inv-1");
    api.on("DELETE /api/v1/invitations/abc", json!({}));
    goes_to(&browser.send("/operator/invitations/abc/revoke", &[]).await, "/operator/invitations");
    api.told("DELETE /api/v1/invitations/abc");
}

#[tokio::test]
async fn plans_are_made_and_changed_in_units_of_people() {
    let (api, mut browser) = operator();
    browser.get("/operator/plans").await.is(200).says("50 MiB").says("1 min 30 s").says("no limit");
    browser.get("/operator/plans/small").await.is(200).says("value=\"50 MiB\"").says("value=\"90 s\"");
    browser.get("/operator/plans/none").await.is(404).says("no page");

    api.on("PUT /api/v1/plans/large", json!({"name": "large"}));
    let fields =
        [("name", "large"), ("storage", "2 GiB"), ("cpu", "1 h"), ("handlers", ""), ("is_default", "true")];
    goes_to(&browser.send("/operator/plans", &fields).await, "/operator/plans");
    let expected = json!({"name": "", "storage_bytes_max": 2_147_483_648_u64, "cpu_ms_per_day_max": 3_600_000, "is_default": true});
    assert_eq!(api.changes()[0].body, expected);

    // Nothing of what cannot be is asked of the API, and what was filled in stays.
    let wrong = browser.send("/operator/plans/small", &[("storage", "much"), ("cpu", "1 h")]).await;
    wrong.is(422).says("`much` is no size").says("value=\"1 h\"");
    browser
        .send("/operator/plans", &[("name", "small")])
        .await
        .is(422)
        .says("there is a plan `small` already");
    assert_eq!(api.changes().len(), 1);

    api.refuses("DELETE /api/v1/plans/small", 409, "refused", "3 accounts have the plan `small`");
    browser.send("/operator/plans/small/delete", &[]).await.is(409).says("3 accounts have the plan");
}

#[tokio::test]
async fn requests_are_decided_with_a_note() {
    let (api, mut browser) = operator();
    let page = browser.get("/operator/requests").await;
    page.is(200).says("asks for standard").says("&#60;b&#62;more&#60;/b&#62; visitors");
    let decision = format!("POST /api/v1/plan-requests/{REQUEST}/decision");
    api.refuses(&decision, 409, "refused", "somebody has decided already");
    let form = format!("/operator/requests/{REQUEST}");
    let page = browser.send(&form, &[("decision", "refuse"), ("note", "not yet")]).await;
    page.is(409).says("somebody has decided already").says(">not yet</textarea>");
    let changes = api.changes();
    assert_eq!(changes[0].body, json!({"approve": false, "note": "not yet"}));
}

#[tokio::test]
async fn the_audit_log_is_filtered_paged_and_exported() {
    let (api, mut browser) = operator();
    let entry = |position: u32, status: Value| {
        json!({
            "position": position, "at": AT, "actor": "ada", "via": "nobody", "action": "login", "subject": "ada",
            "detail": {}, "peer": "192.0.2.7", "request_id": REQUEST, "status": status
        })
    };
    let day = "since=1795305600000";
    let all: Vec<Value> = (0..100).map(|position| entry(200 - position, json!(401))).collect();
    api.on(
        &format!("GET /api/v1/audit?actor=ada&{day}&limit=100"),
        json!({ "entries": all, "next_before": 101 }),
    );
    let page = browser.get("/operator/audit?actor=ada&since=2026-11-22").await;
    page.is(200).says("refused, 401").says("/operator/audit?actor=ada&#38;since=2026-11-22&#38;before=101");
    page.is(200).says("/operator/audit/export?actor=ada&#38;since=2026-11-22&amp;format=csv");
    api.on("GET /api/v1/audit?before=101&limit=100", json!({"entries": [entry(3, Value::Null)]}));
    browser.get("/operator/audit?before=101").await.is(200).says("not finished").says(">Newest<");
    // Ten thousand others may lie before what is looked for.
    api.on("GET /api/v1/audit?actor=bob&limit=100", json!({ "entries": [], "next_before": 7 }));
    let page = browser.get("/operator/audit?actor=bob").await;
    page.is(200).says("among the newest 10 000 entries").says("/operator/audit?actor=bob&#38;before=7\"");
    api.on("GET /api/v1/audit?actor=bob&before=7&limit=100", json!({ "entries": [] }));
    let page = browser.get("/operator/audit?actor=bob&before=7").await;
    page.is(200).says("nothing of that kind that is older").says(">Newest<");
    // A page that is full is the last one, too, if there are no more.
    let full: Vec<Value> = (0..100).map(|position| entry(200 - position, json!(200))).collect();
    api.on("GET /api/v1/audit?actor=eve&limit=100", json!({ "entries": full }));
    browser.get("/operator/audit?actor=eve").await.is(200).says_no(">Older<");
    browser.get("/operator/audit?since=yesterday").await.is(400).says("`yesterday` is no day");

    api.on(&format!("GET /api/v1/audit/export?actor=ada&{day}&format=csv"), json!("position,at"));
    let file = browser.get("/operator/audit/export?actor=ada&since=2026-11-22&format=csv").await;
    assert_eq!(file.headers["content-disposition"], "attachment; filename=\"audit.csv\"");
    file.is(200).says("position,at");
}
