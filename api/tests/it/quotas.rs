//! Plans and quotas over HTTP.

use serde_json::{Value, json};
use uuid::Uuid;
use wasmcloud_api::store::{PlanStore as _, QuotaStore as _};
use wasmcloud_wire::body::{Audit, Handler, Plan, PlanRequest, PlanRequestState, Quotas};
use wasmcloud_wire::limits::USAGE_ACCOUNTS_MAX;
use wasmcloud_wire::{AccountUse, Change, ControlPlane as _, Deployment, Timestamp, UserId};

use crate::app::{Client, Heard, TestApp, module};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

async fn quotas(client: &Client) -> Quotas {
    client.get("/api/v1/quotas").await.good(200)
}

/// What is used, and how much may be, by name.
fn figures(quotas: &Quotas) -> Vec<(&str, u64, Option<u64>)> {
    quotas.quotas.iter().map(|quota| (quota.name.as_str(), quota.used, quota.max)).collect()
}

/// A plan of this name, which the user has from now on.
async fn has_plan(app: &TestApp, user: &Client, name: &str, plan: Value) {
    let mut body = plan;
    body["name"] = json!(name);
    let plan: Plan = serde_json::from_value(body).unwrap();
    app.store.set_plan(&plan, 100).await.unwrap();
    assert!(app.store.give_plan(user.whoami().await.id, name).await.unwrap());
}

/// What an executor has run for an account by now.
fn used(account: UserId, cpu_us: u64, minute_invocations: u64, running: u32) -> AccountUse {
    let now = Timestamp::now().0;
    let (day, minute) = (now.div_euclid(DAY_MS), now.div_euclid(MINUTE_MS));
    AccountUse { account, day, invocations: 3, cpu_us, minute, minute_invocations, running }
}

#[tokio::test]
async fn a_newcomer_sees_the_quotas_of_the_plan_for_newcomers_and_what_is_used() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let deployed = alice.has_handler("hello").await;
    let id = alice.whoami().await.id;
    let one = used(id, 2_500_000, 7, 2);
    let other = AccountUse { cpu_us: 1_000, minute_invocations: 1, running: 1, ..one.clone() };
    app.core.usage(Uuid::now_v7(), vec![one.clone()]).await.unwrap();
    app.core.usage(Uuid::now_v7(), vec![other]).await.unwrap();
    let shown = quotas(&alice).await;
    assert_eq!((shown.account.as_str(), shown.plan.as_str()), ("alice", "standard"));
    let size = deployed.inspection.size_bytes;
    let resets: Vec<_> = shown.quotas.iter().map(|quota| quota.resets_at).collect();
    // The minute, or the day, may have ended since it was told.
    let (minute, day) = (resets[2].unwrap().0, resets[4].unwrap().0);
    let in_minute = if minute == (one.minute + 1) * MINUTE_MS { 8 } else { 0 };
    let in_day = if day == (one.day + 1) * DAY_MS { 2_501 } else { 0 };
    assert_eq!((minute % MINUTE_MS, day % DAY_MS), (0, 0));
    let now = Timestamp::now().0;
    assert!(
        (now - MINUTE_MS..=now + MINUTE_MS).contains(&minute) && (now - DAY_MS..=now + DAY_MS).contains(&day)
    );
    let expected = [
        ("handlers", 1, Some(50)),
        ("storage_bytes", size, Some(500 << 20)),
        ("invocations_per_minute", in_minute, Some(6_000)),
        ("concurrent", 3, Some(32)),
        ("cpu_ms_per_day", in_day, Some(3_600_000)),
    ];
    assert_eq!(figures(&shown), expected);
    assert_eq!([resets[0], resets[1], resets[3]], [None; 3]);
    assert_eq!(shown.request, None);

    // Nobody sees another one's, and a team's only who belongs to it.
    let bob = app.user("bob").await;
    assert_eq!(figures(&quotas(&bob).await)[0], ("handlers", 0, Some(50)));
    bob.get("/api/v1/quotas?team=alice").await.error(404, "team_not_found");
    bob.get("/api/v1/quotas?user=alice").await.error(422, "invalid");
    app.anonymous().get("/api/v1/quotas").await.error(401, "unauthorized");
}

#[tokio::test]
async fn a_team_has_quotas_and_a_plan_of_its_own() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    alice.has_handler("hello").await;
    assert_eq!(alice.post("/api/v1/teams", json!({"name": "cups"})).await.status, 201);
    let member = alice.put("/api/v1/teams/cups/members/bob", json!({"role": "deployer"})).await;
    bob.get("/api/v1/quotas?team=cups").await.error(404, "team_not_found");
    assert_eq!(bob.post("/api/v1/teams/cups/accept", json!({})).await.status, 200);
    assert_eq!(member.status, 200, "{}", member.text());
    let shown: Quotas = bob.get("/api/v1/quotas?team=cups").await.good(200);
    assert_eq!((shown.account.as_str(), figures(&shown)[0]), ("cups", ("handlers", 0, Some(50))));
    // Only its owners ask for it.
    let ask = json!({"plan": "unlimited", "reason": "we grow", "team": "cups"});
    bob.post("/api/v1/plan-requests", &ask).await.error(403, "role_missing");
    app.user("eve").await.post("/api/v1/plan-requests", &ask).await.error(404, "team_not_found");
    let request: PlanRequest = alice.post("/api/v1/plan-requests", &ask).await.good(201);
    assert_eq!((request.account.as_str(), request.asked_by.as_str()), ("cups", "alice"));
    let root = app.admin("root").await;
    let path = format!("/api/v1/plan-requests/{}/decision", request.id);
    root.post(&path, json!({"approve": true})).await.good::<PlanRequest>(200);
    let shown: Quotas = bob.get("/api/v1/quotas?team=cups").await.good(200);
    assert_eq!((shown.plan.as_str(), figures(&shown)[0]), ("unlimited", ("handlers", 0, None)));
    assert_eq!(quotas(&alice).await.plan, "standard");
    // What does not fit is told with the team's name.
    root.put("/api/v1/plans/none", json!({"handlers_max": 0})).await.good::<Value>(201);
    root.patch("/api/v1/users/cups", json!({"plan": "none"})).await.good::<Value>(200);
    let refused = alice.send("POST", "/api/v1/handlers?name=more&team=cups", module("more")).await;
    assert!(refused.error(403, "over_quota").contains("of cups is used up"), "{refused:?}");
    assert!(refused.text().contains("--team cups"), "{refused:?}");
    // Whoever belongs to the team sees what was asked for it.
    assert_eq!(bob.get("/api/v1/plan-requests").await.good::<Vec<PlanRequest>>(200).len(), 1);
}

#[tokio::test]
async fn what_a_plan_does_not_allow_is_refused_before_it_is_stored_and_says_what_to_do() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let small = alice.has_handler("one").await;
    let size = small.inspection.size_bytes;
    has_plan(&app, &alice, "small", json!({"handlers_max": 1, "storage_bytes_max": size})).await;
    let stored = app.stored_modules().await;
    app.invoker.heard.lock().unwrap().clear();

    let refused = alice.create("two", module("two")).await;
    let message = refused.error(403, "over_quota");
    let expected = "the quota `handlers` of alice is used up: its plan `small` allows 1, and there are 1";
    assert_eq!(message, expected);
    let body: Value = serde_json::from_slice(&refused.body).unwrap();
    let hint = body["error"]["hint"].as_str().unwrap();
    assert!(hint.contains("wasmcloud delete NAME") && hint.contains("wasmcloud plan apply"), "{hint}");

    for path in ["/api/v1/handlers/one/module", "/api/v1/handlers/one/module?promote=false"] {
        let message = alice.send("PUT", path, module("three")).await.error(403, "over_quota");
        let wanted = size + module("three").len() as u64;
        let expected = format!(
            "the quota `storage_bytes` of alice does not allow it: its plan `small` allows {size} bytes, {size} are \
             used, and with this module it would be {wanted}"
        );
        assert_eq!(message, expected);
    }
    assert_eq!((app.stored_modules().await, app.invoker.heard()), (stored, vec![]), "nobody compiled it");
    // What is there already takes no more.
    assert_eq!(alice.update("one", module("one")).await.status, 201);

    // A larger plan, and it is there.
    has_plan(&app, &alice, "small", json!({"handlers_max": 2, "storage_bytes_max": 1 << 20})).await;
    assert_eq!(alice.create("two", module("two")).await.status, 201);
}

#[tokio::test]
async fn a_version_that_is_not_needed_can_be_deleted_and_its_address_is_told() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    alice.has_handler("hello").await;
    for text in ["two", "three"] {
        assert_eq!(alice.update("hello", module(text)).await.status, 201);
    }
    let path = |number: &str| format!("/api/v1/handlers/hello/versions/{number}");
    for (number, status, code, word) in [
        ("3", 409, "version_needed", "live"),
        ("2", 409, "version_needed", "rollback"),
        ("9", 404, "version_not_found", "9"),
        ("x", 422, "invalid", "x"),
        ("-1", 422, "invalid", "-1"),
    ] {
        let message = alice.delete(&path(number)).await.error(status, code);
        assert!(message.contains(word), "{message}");
    }
    bob.delete(&path("1")).await.error(404, "handler_not_found");
    app.anonymous().delete(&path("1")).await.error(401, "unauthorized");

    app.invoker.heard.lock().unwrap().clear();
    alice.delete(&path("1")).await.done();
    let told = Heard::Announce(Change::Handler { name: "hello".parse().unwrap() });
    assert_eq!(app.invoker.heard(), [told]);
    assert!(app.core.resolve(&"v1--hello".parse().unwrap()).await.unwrap().is_none());
    alice.delete(&path("1")).await.error(404, "version_not_found");
    let promote = alice.post("/api/v1/handlers/hello/promote", json!({"version": 1})).await;
    promote.error(404, "version_not_found");
    let split = json!({"version": 2, "percent": 10});
    assert_eq!(alice.post("/api/v1/handlers/hello/promote", split).await.status, 200);
    let message = alice.delete(&path("2")).await.error(409, "version_needed");
    assert!(message.contains("a part of the clients"), "{message}");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Handler>(200).live.0, 3);

    // Its bytes go with the next sweep; those that something refers to stay.
    assert_eq!(app.core.sweep_modules(std::time::Duration::ZERO).await.unwrap().deleted, 1);
    assert_eq!(app.stored_modules().await, 2);
}

#[tokio::test]
async fn operators_make_plans_and_everybody_sees_them() {
    let app = TestApp::start().await;
    let (root, alice) = (app.admin("root").await, app.user("alice").await);
    let plans = async |client: &Client| client.get("/api/v1/plans").await.good::<Vec<Plan>>(200);
    let names: Vec<_> = plans(&alice).await.into_iter().map(|plan| (plan.name, plan.is_default)).collect();
    assert_eq!(names, [("standard".to_owned(), true), ("unlimited".to_owned(), false)]);
    app.anonymous().get("/api/v1/plans").await.error(401, "unauthorized");

    let large = json!({"handlers_max": 100, "cpu_ms_per_day_max": 7});
    alice.put("/api/v1/plans/large", &large).await.error(403, "admins_only");
    alice.delete("/api/v1/plans/standard").await.error(403, "admins_only");
    let made: Plan = root.put("/api/v1/plans/large", &large).await.good(201);
    assert_eq!(
        (made.name.as_str(), made.handlers_max, made.cpu_ms_per_day_max),
        ("large", Some(100), Some(7))
    );
    let changed: Plan = root.put("/api/v1/plans/large", json!({"name": "large"})).await.good(200);
    assert_eq!(
        (changed.handlers_max, changed.cpu_ms_per_day_max),
        (None, None),
        "what is absent is not limited"
    );
    assert_eq!(plans(&alice).await.len(), 3);

    for (path, body, code) in [
        ("Large", json!({}), "invalid_name"),
        (&"a".repeat(41), json!({}), "invalid_name"),
        ("large", json!({"name": "small"}), "invalid"),
        ("large", json!({"handlers_max": 1_u64 << 60}), "invalid"),
        ("large", json!({"handlers_max": -1}), "invalid_body"),
        ("large", json!({"handlers": 1}), "invalid_body"),
    ] {
        root.put(&format!("/api/v1/plans/{path}"), body).await.error(422, code);
    }
    root.put("/api/v1/plans/standard", json!({"is_default": false})).await.error(409, "plan_is_default");
    root.delete("/api/v1/plans/standard").await.error(409, "plan_is_default");
    root.delete("/api/v1/plans/huge").await.error(404, "plan_not_found");
    has_plan(&app, &alice, "large", json!({})).await;
    let message = root.delete("/api/v1/plans/large").await.error(409, "plan_in_use");
    assert!(message.contains("1 account has"), "{message}");
    // Another one is for newcomers, and the old one can go.
    root.put("/api/v1/plans/large", json!({"is_default": true})).await.good::<Plan>(200);
    root.delete("/api/v1/plans/standard").await.done();
    assert_eq!(quotas(&app.user("bob").await).await.plan, "large");
}

#[tokio::test]
async fn who_wants_more_asks_and_an_operator_decides() {
    let app = TestApp::start().await;
    let (root, alice, bob) = (app.admin("root").await, app.user("alice").await, app.user("bob").await);
    alice.has_handler("hello").await;
    let ask = |plan: &str| json!({"plan": plan, "reason": " we grow\nquickly "});
    alice.post("/api/v1/plan-requests", ask("huge")).await.error(404, "plan_not_found");
    alice.post("/api/v1/plan-requests", ask("standard")).await.error(409, "has_plan");
    for reason in ["", "  ", "\u{1b}[2J", &"a".repeat(1_001)] {
        let body = json!({"plan": "unlimited", "reason": reason});
        alice.post("/api/v1/plan-requests", body).await.error(422, "invalid");
    }
    let first: PlanRequest = alice.post("/api/v1/plan-requests", ask("unlimited")).await.good(201);
    assert_eq!((first.reason.as_str(), first.plan_now.as_str()), ("we grow\nquickly", "standard"));
    let second: PlanRequest = alice.post("/api/v1/plan-requests", ask("unlimited")).await.good(201);
    assert_eq!(quotas(&alice).await.request.map(|request| request.id), Some(second.id));

    let list = async |client: &Client, query: &str| {
        let requests: Vec<PlanRequest> = client.get(&format!("/api/v1/plan-requests{query}")).await.good(200);
        requests.into_iter().map(|request| (request.id, request.state)).collect::<Vec<_>>()
    };
    let both = [(second.id, PlanRequestState::Open), (first.id, PlanRequestState::Withdrawn)];
    assert_eq!(list(&alice, "").await, both);
    assert_eq!(list(&root, "?all=true").await, both);
    assert_eq!((list(&root, "").await, list(&bob, "").await), (vec![], vec![]));
    bob.get("/api/v1/plan-requests?all=true").await.error(403, "admins_only");

    let decision = |id: Uuid| format!("/api/v1/plan-requests/{id}/decision");
    let yes = json!({"approve": true, "note": "welcome"});
    alice.post(&decision(second.id), &yes).await.error(403, "admins_only");
    root.post(&decision(first.id), &yes).await.error(409, "plan_request_decided");
    root.post(&decision(Uuid::now_v7()), &yes).await.error(404, "plan_request_not_found");
    root.post("/api/v1/plan-requests/x/decision", &yes).await.error(404, "plan_request_not_found");
    let long = json!({"approve": true, "note": "a".repeat(501)});
    root.post(&decision(second.id), long).await.error(422, "invalid");
    let key = "hello".parse().unwrap();
    let quota_of = |deployment: Option<Deployment>| deployment.unwrap().quota;
    assert_eq!(quota_of(app.core.resolve(&key).await.unwrap()).concurrent_max, Some(32));
    let decided: PlanRequest = root.post(&decision(second.id), &yes).await.good(200);
    assert_eq!((decided.state, decided.note.as_deref()), (PlanRequestState::Approved, Some("welcome")));
    let quota = quota_of(app.core.resolve(&key).await.unwrap());
    assert_eq!((quota.plan.as_str(), quota.concurrent_max), ("unlimited", None));
    assert_eq!(quotas(&alice).await.plan, "unlimited");
    root.post(&decision(second.id), &yes).await.error(409, "plan_request_decided");
}

#[tokio::test]
async fn who_asks_for_plans_too_often_waits_and_none_of_that_is_noted() {
    let app = TestApp::start().await;
    let (alice, bob) = (app.user("alice").await, app.user("bob").await);
    let ask = json!({"plan": "unlimited", "reason": "growth"});
    let mut asked = 0;
    let refused = loop {
        let answer = alice.post("/api/v1/plan-requests", &ask).await;
        if answer.status != 201 {
            break answer;
        }
        asked += 1;
        assert!(asked <= 20, "nobody is ever refused");
    };
    refused.error(429, "too_many_requests");
    assert!(refused.header("retry-after").is_some());
    let noted: Audit = alice.get("/api/v1/audit?action=plan.ask").await.good(200);
    assert_eq!(noted.entries.len(), asked);
    bob.post("/api/v1/plan-requests", &ask).await.good::<PlanRequest>(201);
}

#[tokio::test]
async fn an_executor_tells_what_it_has_run_and_learns_what_the_others_have() {
    let app = TestApp::start().await;
    let id = app.user("alice").await.whoami().await.id;
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let tell = async |executor: Uuid, used: Vec<AccountUse>| {
        let body = json!({"executor": executor, "used": used});
        app.executor().post("/internal/v1/usage", body).await
    };
    let nobody = used(UserId::new(), 1, 1, 1);
    let at_one = used(id, 5, 6, 7);
    let others: Vec<AccountUse> = tell(one, vec![nobody, at_one.clone()]).await.good(200);
    assert_eq!(others.len(), 1);
    assert_eq!((others[0].account, others[0].running, others[0].cpu_us), (id, 0, 0));
    let same_time = AccountUse { invocations: 1, cpu_us: 1, minute_invocations: 1, running: 1, ..at_one };
    let others: Vec<AccountUse> = tell(two, vec![same_time]).await.good(200);
    assert_eq!(others, [at_one]);

    let many = vec![used(id, 1, 1, 1); USAGE_ACCOUNTS_MAX + 1];
    tell(two, many.clone()).await.error(422, "invalid");
    assert_eq!(tell(two, many[1..].to_vec()).await.status, 200, "as many as may be");
    let body = json!({"executor": two, "used": [], "more": 1});
    app.executor().post("/internal/v1/usage", body).await.error(422, "invalid_body");
    assert!(app.store.ran(id, 0, 0, Timestamp(0)).await.is_ok());
}
