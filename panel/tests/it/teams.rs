//! The pages of teams.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fake::{Browser, Fake, SCRIPT};

const THEN: i64 = 1_795_219_750_123;

fn crew(role: &str) -> Value {
    json!({
        "name": "crew", "role": role, "members": 2, "created_at": THEN,
        "people": [
            { "user": "alice", "role": role, "since": THEN },
            { "user": "bob", "role": "viewer", "since": THEN },
        ],
    })
}

fn crews(role: &str) -> (Arc<Fake>, Browser) {
    let api = Fake::new();
    let team = json!({ "name": "crew", "role": role, "members": 2, "created_at": THEN });
    api.on("GET /api/v1/teams", json!([team]));
    api.on("GET /api/v1/teams/crew", crew(role));
    api.on("GET /api/v1/handlers", json!([]));
    let browser = Browser::of_alice(&api);
    (api, browser)
}

#[tokio::test]
async fn a_team_is_made_and_a_name_that_cannot_be_is_shown_again_as_text() {
    let (api, mut browser) = crews("owner");
    api.on(
        "POST /api/v1/teams",
        json!({ "name": "band", "role": "owner", "members": 1, "created_at": THEN }),
    );
    assert_eq!(browser.send("/teams", &[("name", " band ")]).await.to(), "/teams/band");
    assert_eq!(api.told("POST /api/v1/teams"), json!({ "name": "band" }));
    api.refuses("POST /api/v1/teams", 422, "invalid_name", &format!("`{SCRIPT}` cannot be a name"));
    let page = browser.send("/teams", &[("name", SCRIPT)]).await;
    page.is(422).says("cannot be a name").says("&#60;script&#62;").says_no("<script>alert");
}

#[tokio::test]
async fn an_owner_adds_changes_and_removes_members() {
    let (api, mut browser) = crews("owner");
    let offered = json!({ "role": "deployer", "expires_at": THEN });
    let carol = json!({ "user": "carol", "role": null, "offered": offered, "since": THEN });
    api.on("PUT /api/v1/teams/crew/members/carol", carol);
    api.on("PUT /api/v1/teams/crew/members/bob", json!({ "user": "bob", "role": "deployer", "since": THEN }));
    api.on("DELETE /api/v1/teams/crew/members/bob", Value::Null);
    let page = browser.send("/teams/crew/members", &[("user", "carol"), ("role", "deployer")]).await;
    assert_eq!(page.to(), "/teams/crew");
    assert_eq!(api.told("PUT /api/v1/teams/crew/members/carol"), json!({ "role": "deployer" }));
    browser.get("/teams/crew").await.says("carol is invited as deployer, and has to accept it");
    browser.send("/teams/crew/members/bob", &[("role", "deployer")]).await.is(303);
    assert_eq!(api.told("PUT /api/v1/teams/crew/members/bob"), json!({ "role": "deployer" }));
    browser.get("/teams/crew").await.says("bob is deployer now.");
    browser.send("/teams/crew/members/bob/remove", &[]).await.is(303);
    assert_eq!(api.changes().pop().unwrap().what, "DELETE /api/v1/teams/crew/members/bob");
}

#[tokio::test]
async fn who_cannot_be_added_is_said_with_what_was_typed() {
    let (api, mut browser) = crews("owner");
    api.refuses("PUT /api/v1/teams/crew/members/nobody", 404, "user_not_found", "there is no user `nobody`");
    let page = browser.send("/teams/crew/members", &[("user", "nobody"), ("role", "viewer")]).await;
    page.is(422).says("there is no user `nobody`").says("value=\"nobody\"");
    browser.send("/teams/crew/members", &[("user", "carol"), ("role", "king")]).await.is(422).says("king");
    browser.send("/teams/crew/members", &[("user", " "), ("role", "viewer")]).await.is(422);
    api.refuses("DELETE /api/v1/teams/crew/members/alice", 409, "last_owner", "the team needs an owner");
    browser.send("/teams/crew/leave", &[]).await.is(409).says("the team needs an owner");
}

#[tokio::test]
async fn who_only_looks_sees_nothing_to_change_and_may_leave() {
    let (api, mut browser) = crews("viewer");
    let page = browser.get("/teams/crew").await;
    page.is(200).says("bob").says_no("/members/bob").says_no("Invite somebody").says_no("/teams/crew/delete");
    api.on("DELETE /api/v1/teams/crew/members/alice", Value::Null);
    assert_eq!(browser.send("/teams/crew/leave", &[]).await.to(), "/teams");
    assert_eq!(api.changes()[0].what, "DELETE /api/v1/teams/crew/members/alice");
}

#[tokio::test]
async fn an_invitation_is_shown_and_accepted_or_declined() {
    let (api, mut browser) = crews("viewer");
    let offered = |role: &str| json!({ "role": role, "expires_at": THEN });
    let band = json!({ "name": "band", "role": null, "offered": offered("owner"), "members": 0, "created_at": THEN });
    let crew = json!({
        "name": "crew", "role": "viewer", "offered": offered("owner"), "members": 2, "created_at": THEN,
    });
    api.on("GET /api/v1/teams", json!([band, crew]));
    let page = browser.get("/teams").await;
    page.is(200).says("action=\"/teams/band/accept\"").says("action=\"/teams/crew/decline\"");
    // What one does not belong to has no page.
    page.says_no("href=\"/teams/band\"").says("href=\"/teams/crew\"");

    api.on("POST /api/v1/teams/crew/accept", crew.clone());
    assert_eq!(browser.send("/teams/crew/accept", &[]).await.to(), "/teams/crew");
    api.on("POST /api/v1/teams/band/decline", Value::Null);
    assert_eq!(browser.send("/teams/band/decline", &[]).await.to(), "/teams");
    let asked: Vec<_> = api.changes().into_iter().map(|change| change.what).collect();
    assert_eq!(asked, ["POST /api/v1/teams/crew/accept", "POST /api/v1/teams/band/decline"]);
    api.refuses("POST /api/v1/teams/band/accept", 409, "too_many_teams", "you own 5 teams");
    browser.send("/teams/band/accept", &[]).await.is(409).says("you own 5 teams").says("/teams/band/accept");
}

#[tokio::test]
async fn who_is_invited_is_shown_to_the_team_and_can_be_taken_back() {
    let (api, mut browser) = crews("owner");
    let mut team = crew("owner");
    let offered = json!({ "role": "deployer", "expires_at": THEN });
    team["people"][1] = json!({ "user": "bob", "role": null, "offered": offered, "since": THEN });
    api.on("GET /api/v1/teams/crew", team);
    let page = browser.get("/teams/crew").await;
    page.is(200).says("invited as deployer").says("<option selected>deployer").says("/members/bob/remove");
}

#[tokio::test]
async fn a_team_is_deleted_by_typing_its_name() {
    let (api, mut browser) = crews("owner");
    api.on("DELETE /api/v1/teams/crew", Value::Null);
    browser.get("/teams/crew/delete").await.is(200).says("cannot be undone");
    let page = browser.send("/teams/crew/delete", &[("confirm", "crow")]).await;
    page.is(422).says("what you typed is not `crew`");
    assert_eq!(api.changes().len(), 0);
    assert_eq!(browser.send("/teams/crew/delete", &[("confirm", "crew")]).await.to(), "/teams");
    assert_eq!(api.changes()[0].what, "DELETE /api/v1/teams/crew");
}

#[tokio::test]
async fn a_teams_quotas_are_its_own() {
    let (api, mut browser) = crews("owner");
    api.on("GET /api/v1/plans", json!([{ "name": "large" }]));
    let quotas = json!({ "account": "crew", "plan": "standard", "quotas": [], "request": null });
    api.on("GET /api/v1/quotas?team=crew", quotas);
    browser
        .get("/teams/crew/quota")
        .await
        .is(200)
        .says("Quotas of crew")
        .says("action=\"/teams/crew/quota\"");
    let request = json!({
        "id": "0197a000-0000-7000-8000-000000000002", "account": "crew", "asked_by": "alice", "plan_now": "standard",
        "plan": "large", "reason": "more", "state": "open", "note": null, "created_at": THEN, "decided_at": null,
    });
    api.on("POST /api/v1/plan-requests", request);
    let page = browser.send("/teams/crew/quota", &[("plan", "large"), ("reason", "more")]).await;
    assert_eq!(page.to(), "/teams/crew/quota");
    let told = json!({ "plan": "large", "reason": "more", "team": "crew" });
    assert_eq!(api.told("POST /api/v1/plan-requests"), told);
}

#[tokio::test]
async fn a_team_that_is_not_there_is_said() {
    let (api, mut browser) = crews("owner");
    api.refuses("GET /api/v1/teams/nope", 404, "team_not_found", "you belong to no team `nope`");
    browser.get("/teams/nope").await.is(404).says("you belong to no team `nope`");
    browser.get("/teams/%3Cscript%3Ealert").await.is(404).says_no("<script>alert");
}
