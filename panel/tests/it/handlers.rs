//! The pages of handlers: what is shown, to whom, and what a form asks of the API.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::fake::{Browser, Fake, SCRIPT};

pub const THEN: i64 = 1_795_219_750_123;
pub const ID: &str = "0197a000-0000-7000-8000-000000000009";

/// The id as it is in addresses of the API.
fn encoded() -> String {
    ID.replace('-', "%2D")
}

pub fn digest() -> String {
    "ab".repeat(32)
}

/// A handler that the person is this to.
pub fn handler(role: &str) -> Value {
    json!({
        "id": "0197a000-0000-7000-8000-000000000008", "name": "hello", "owner": if role == "owner" { "alice" } else { "crew" },
        "role": role, "url": "http://hello.localhost:3001/", "live": 2, "abi": "wasi", "digest": digest(),
        "previous": 1, "promoted_at": THEN, "auto_rollback": true, "forward_authorization": false,
        "created_at": THEN, "updated_at": THEN,
    })
}

pub fn version(number: u32, live: bool) -> Value {
    json!({
        "number": number, "digest": digest(), "abi": "wasi", "size_bytes": 2048, "live": live, "previous": false,
        "url": format!("http://v{number}--hello.localhost:3001/"), "created_at": THEN,
    })
}

/// A receipt in which every text is a program's or a client's.
pub fn receipt(outcome: Value) -> Value {
    json!({
        "invocation": ID, "handler": null, "version": 2, "digest": digest(), "abi": "wasi", "executor": SCRIPT,
        "trigger": "edge", "method": SCRIPT, "path": SCRIPT, "started_at": THEN, "wall_us": 1_500_000, "cpu_us": 2_000,
        "gas": 0, "memory_peak_bytes": 65_536, "host_calls": { SCRIPT: 3 }, "urls": [SCRIPT],
        "outbound": { "requests": 1, "bytes_sent": 2, "bytes_received": 3, "denied": [SCRIPT] },
        "bytes_in": 0, "bytes_out": 10, "log_lines": 1, "log_lines_dropped": 0, "status": 500, "outcome": outcome,
    })
}

pub fn line(seq: u32, level: i32, text: &str) -> Value {
    json!({ "invocation": ID, "seq": seq, "at": THEN, "level": level, "source": "stderr", "text": text })
}

/// An API with the handler `hello`, and a browser of somebody who is this to it.
pub fn hello(role: &str) -> (Arc<Fake>, Browser) {
    let api = Fake::new();
    api.on("GET /api/v1/teams", json!([]));
    api.on("GET /api/v1/handlers/hello", handler(role));
    api.on("GET /api/v1/handlers/hello/versions", json!([version(3, false), version(2, true)]));
    api.on("GET /api/v1/handlers/hello/policy", json!({ "allow": [SCRIPT], "disallow": [], "mode": "deny" }));
    api.on("GET /api/v1/handlers/hello/recording", json!({ "methods": ["GET"], "redact": [], "keep": 7 }));
    api.on("GET /api/v1/server", json!({ "version": "0.1.0", "registration": "off" }));
    api.on("GET /api/v1/hosts", json!([]));
    api.on("GET /api/v1/routes", json!([]));
    api.on("GET /api/v1/handlers/hello/env", json!({ "settings": [], "warnings": [] }));
    api.on("GET /api/v1/handlers/hello/logs", json!({ "lines": [line(0, 1, SCRIPT)] }));
    api.on(
        "GET /api/v1/handlers/hello/invocations",
        json!({ "receipts": [receipt(json!({ "kind": "ok" }))] }),
    );
    let trap = json!({ "kind": "trap", "message": SCRIPT });
    let lines = json!([line(0, 1, SCRIPT)]);
    api.on(
        &format!("GET /api/v1/handlers/hello/invocations/{}", encoded()),
        json!({ "receipt": receipt(trap), "lines": lines }),
    );
    let browser = Browser::of_alice(&api);
    (api, browser)
}

#[tokio::test]
async fn the_list_has_each_handler_with_its_address_and_a_line_of_the_last_day() {
    let (api, mut alice) = hello("owner");
    api.on("GET /api/v1/handlers", json!([handler("owner")]));
    let line = json!([{ "handler": "hello", "invocations": vec![2; 96], "failures": vec![1; 96] }]);
    api.on("GET /api/v1/charts?span=day", line);
    let page = alice.get("/handlers").await;
    page.is(200)
        .says("http://hello.localhost:3001/")
        .says("data-copy")
        .says("version 2")
        .says("href=\"/handlers/hello\"");
    page.says("<title>192 invocations in the last 24 hours, 96 failures</title>").says(">96</span>");
    page.says_no("style=").says_no(" onclick");
}

#[tokio::test]
async fn whoever_has_no_handlers_is_told_how_to_make_one() {
    let (api, mut alice) = hello("owner");
    api.on("GET /api/v1/handlers", json!([]));
    api.refuses("GET /api/v1/charts", 503, "unavailable", "the store does not answer");
    let page = alice.get("/handlers").await;
    page.is(200)
        .says("wasmcloud login alice")
        .says("wasmcloud create handler.wasm")
        .says("the store does not answer");
}

#[tokio::test]
async fn the_overview_draws_charts_and_has_the_numbers_as_a_table() {
    let (api, mut alice) = hello("owner");
    let point = |ran: u64| {
        json!({
            "invocations": ran, "failures": ran / 2, "p50_us": 900, "p99_us": 2_000, "gas": 0, "cpu_us": ran * 10,
            "memory_peak_bytes": 1_048_576,
        })
    };
    let chart =
        json!({ "span": "hour", "from": THEN, "step_s": 60, "points": [point(0), point(4), point(2)] });
    api.on("GET /api/v1/handlers/hello/chart?span=hour", chart);
    let page = alice.get("/handlers/hello?span=hour").await;
    page.is(200)
        .says("6 invocations in the last hour, 3 of them failed.")
        .says("<desc id=\"durations-desc\">");
    page.says("CPU time").says("<td class=\"number\">900 µs</td>").says("Together").says_no("style=");
    api.refuses("GET /api/v1/handlers/hello/chart", 503, "unavailable", "no numbers now");
    alice.get("/handlers/hello").await.is(200).says("no numbers now").says("Live version");
}

#[tokio::test]
async fn no_page_has_anything_of_a_program_as_html() {
    let (api, mut alice) = hello("owner");
    let mut rolled_back = handler("owner");
    rolled_back["rolled_back"] = json!({ "from": 3, "to": 2, "at": THEN, "reason": SCRIPT });
    api.on("GET /api/v1/handlers/hello", rolled_back);
    let setting = json!({ "name": "A", "secret": false, "value": SCRIPT, "updated_at": THEN });
    api.on("GET /api/v1/handlers/hello/env", json!({ "settings": [setting], "warnings": [SCRIPT] }));
    api.on(
        "GET /api/v1/handlers/hello/policy/learned",
        json!({ "allow": [SCRIPT], "disallow": [], "mode": "deny" }),
    );
    let host = json!({
        "name": "a.example.com", "state": "unproven", "record_name": "_w.a.example.com", "record_value": "v=1", "proven_at": null,
        "checked_at": null, "problem": SCRIPT, "routes": 0, "created_at": THEN,
    });
    api.on("GET /api/v1/hosts", json!([host]));
    for path in [
        "/handlers/hello".to_owned(),
        "/handlers/hello/versions".to_owned(),
        "/handlers/hello/env".to_owned(),
        "/handlers/hello/policy".to_owned(),
        "/handlers/hello/policy?learned=true".to_owned(),
        "/handlers/hello/routes".to_owned(),
        "/handlers/hello/log".to_owned(),
        format!("/handlers/hello/log?text={SCRIPT}").replace(['<', '>', '"', '\'', '&'], "%3C"),
        "/handlers/hello/log?text=%3Cscript%3Ealert('x')%3C/script%3E".to_owned(),
        "/handlers/hello/invocations".to_owned(),
        format!("/handlers/hello/invocations/{ID}"),
        "/handlers/hello/try?path=%3Cscript%3Ealert('x')%3C/script%3E".to_owned(),
        "/handlers/hello/settings".to_owned(),
        "/handlers/hello/settings/delete".to_owned(),
    ] {
        let page = alice.get(&path).await;
        page.is(200).says_no("<script>").says_no("style=").says_no("alert('x')");
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{path}");
    }
}

#[tokio::test]
async fn viewers_see_everything_and_no_button_that_they_may_not_use() {
    let (_, mut alice) = hello("viewer");
    for tab in [
        "",
        "/versions",
        "/env",
        "/policy",
        "/routes",
        "/log",
        "/invocations",
        "/try",
        "/settings",
        "/settings/delete",
    ] {
        let page = alice.get(&format!("/handlers/hello{tab}")).await;
        page.is(200).says("you may look");
        let forms = page.body.matches("method=\"post\"").count();
        assert_eq!(forms, 1, "only the sign-out on {tab}:\n{}", page.body);
    }
    alice.get(&format!("/handlers/hello/invocations/{ID}")).await.is(200).says_no("Replay");
}

#[tokio::test]
async fn deployers_may_change_but_not_delete() {
    let (_, mut alice) = hello("deployer");
    let page = alice.get("/handlers/hello/settings").await;
    page.says("Switches").says_no("Transfer").says_no("settings/delete");
    alice.get("/handlers/hello/versions").await.says("Make live").says("Roll back to version 1");
}

#[tokio::test]
async fn versions_are_promoted_in_part_rolled_back_and_deleted() {
    let (api, mut alice) = hello("owner");
    api.on("POST /api/v1/handlers/hello/promote", handler("owner"));
    let page = alice
        .send("/handlers/hello/versions", &[("do", "promote"), ("version", "3"), ("percent", "10")])
        .await;
    assert_eq!((page.status, page.to()), (303, "/handlers/hello/versions"));
    assert_eq!(api.told("POST /api/v1/handlers/hello/promote"), json!({ "version": 3, "percent": 10 }));
    alice.get("/handlers/hello/versions").await.says("Version 3 answers 10 % of the clients.");

    api.on("POST /api/v1/handlers/hello/rollback", handler("owner"));
    alice.send("/handlers/hello/versions", &[("do", "rollback")]).await.is(303);
    api.on("DELETE /api/v1/handlers/hello/versions/3", Value::Null);
    alice.send("/handlers/hello/versions", &[("do", "delete"), ("version", "3")]).await.is(303);
    api.told("DELETE /api/v1/handlers/hello/versions/3");
}

#[tokio::test]
async fn a_form_that_is_not_taken_is_shown_again_with_its_error_and_what_was_filled_in() {
    let (api, mut alice) = hello("owner");
    for (path, request, fields, kept) in [
        (
            "/handlers/hello/versions",
            "POST /api/v1/handlers/hello/promote",
            vec![("do", "promote"), ("version", "3"), ("percent", "42")],
            "value=\"42\"",
        ),
        (
            "/handlers/hello/env",
            "PUT /api/v1/handlers/hello/env/KEY",
            vec![("key", "KEY"), ("value", "tea")],
            ">tea</textarea>",
        ),
        (
            "/handlers/hello/policy",
            "PATCH /api/v1/handlers/hello/policy",
            vec![("do", "add"), ("rule", "^https://a/"), ("list", "disallow")],
            "value=\"^https://a/\"",
        ),
        (
            "/handlers/hello/policy",
            "PATCH /api/v1/handlers/hello/policy",
            vec![("do", "limits"), ("gas", "77")],
            "value=\"77\"",
        ),
        (
            "/handlers/hello/routes",
            "POST /api/v1/routes",
            vec![("do", "add"), ("host", "a.example.com"), ("path", "/v1")],
            "value=\"/v1\"",
        ),
        (
            "/handlers/hello/settings",
            "PATCH /api/v1/handlers/hello",
            vec![("do", "recording"), ("keep", "9")],
            "value=\"9\"",
        ),
        (
            "/handlers/hello/try",
            "POST /api/v1/handlers/hello/invoke",
            vec![("path", "/a?b")],
            "value=\"/a?b\"",
        ),
    ] {
        api.refuses(request, 422, "invalid", "that cannot be");
        let page = alice.send(path, &fields).await;
        page.is(422).says("role=\"alert\"><p>that cannot be</p><p>do something else</p>").says(kept);
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anybody_is_asked() {
    let (api, mut alice) = hello("owner");
    for (path, fields, said) in [
        (
            "/handlers/hello/versions",
            vec![("do", "promote"), ("version", "3"), ("percent", "101")],
            "`101` is no part",
        ),
        ("/handlers/hello/versions", vec![("do", "promote"), ("version", "x")], "not said which version"),
        ("/handlers/hello/env", vec![("key", " ")], "a setting needs a name"),
        ("/handlers/hello/policy", vec![("do", "add"), ("rule", "")], "a rule is missing"),
        ("/handlers/hello/routes", vec![("do", "add"), ("host", "")], "a host is missing"),
        ("/handlers/hello/settings", vec![("do", "recording"), ("keep", "many")], "`many` is no number"),
        ("/handlers/hello/settings/delete", vec![("name", "hallo")], "`hallo` is not the name"),
        ("/handlers/hello/try", vec![("headers", "nonsense")], "`nonsense` is no header field"),
    ] {
        let page = alice.send(path, &fields).await;
        page.is(422).says("role=\"alert\"").says(said);
    }
    assert_eq!(api.changes().len(), 0, "{:?}", api.changes());
}

#[tokio::test]
async fn a_handler_is_deleted_by_whoever_types_its_name() {
    let (api, mut alice) = hello("owner");
    api.on("DELETE /api/v1/handlers/hello", Value::Null);
    let page = alice.send("/handlers/hello/settings/delete", &[("name", "hello")]).await;
    assert_eq!((page.status, page.to()), (303, "/handlers"));
    api.told("DELETE /api/v1/handlers/hello");
}

#[tokio::test]
async fn secrets_are_on_no_page() {
    let (api, mut alice) = hello("owner");
    let secret = json!({ "name": "KEY", "secret": true, "updated_at": THEN });
    api.on("GET /api/v1/handlers/hello/env", json!({ "settings": [secret], "warnings": [] }));
    alice.get("/handlers/hello/env").await.says("<span class=\"badge\">secret</span>");
    api.refuses("PUT /api/v1/handlers/hello/env/KEY", 422, "invalid_env", "too long");
    let filled = [("key", "KEY"), ("value", "hush-hush"), ("secret", "on")];
    alice.send("/handlers/hello/env", &filled).await.is(422).says("value=\"KEY\"").says_no("hush-hush");
    api.on(
        "PUT /api/v1/handlers/hello/env/KEY",
        json!({ "name": "KEY", "secret": true, "updated_at": THEN }),
    );
    let filled = [("key", "KEY"), ("value", "a\r\nb"), ("secret", "on")];
    alice.send("/handlers/hello/env", &filled).await.is(303);
    let last = api.changes().pop().unwrap();
    assert_eq!(last.body, json!({ "value": "a\nb", "secret": true }));
}

#[tokio::test]
async fn what_was_learned_is_applied_as_it_was_shown() {
    let (api, mut alice) = hello("owner");
    let learned =
        json!({ "allow": ["^https://a\\.example\\.com/"], "disallow": [], "mode": "deny", "gas": 5 });
    api.on("GET /api/v1/handlers/hello/policy/learned", learned.clone());
    let page = alice.get("/handlers/hello/policy?learned=true").await;
    page.says("^https://a\\.example\\.com/").says("Make it the policy");
    api.on("PUT /api/v1/handlers/hello/policy", learned.clone());
    alice
        .send("/handlers/hello/policy", &[("do", "learned"), ("policy", &learned.to_string())])
        .await
        .is(303);
    assert_eq!(api.told("PUT /api/v1/handlers/hello/policy"), learned);
    api.refuses("GET /api/v1/handlers/hello/policy/learned", 404, "nothing_learned", "nothing ran");
    alice
        .get("/handlers/hello/policy?learned=true")
        .await
        .is(200)
        .says("nothing ran")
        .says("Limits of one invocation");
}

#[tokio::test]
async fn hosts_and_routes_of_a_teams_handler_are_the_teams() {
    let (api, mut alice) = hello("deployer");
    let host = json!({
        "name": "a.example.com", "state": "unproven", "record_name": "_wasmcloud.a.example.com", "record_value": "v=abc",
        "proven_at": null, "checked_at": null, "problem": null, "routes": 0, "created_at": THEN,
    });
    api.on("GET /api/v1/hosts?team=crew", json!([host]));
    api.on("GET /api/v1/routes?team=crew", json!([]));
    let page = alice.get("/handlers/hello/routes").await;
    page.says("_wasmcloud.a.example.com").says("v=abc").says("Verify a.example.com");
    api.on("POST /api/v1/hosts/a%2Eexample%2Ecom/verify?team=crew", host.clone());
    alice.send("/handlers/hello/routes", &[("do", "verify"), ("host", "a.example.com")]).await.is(303);
    api.told("POST /api/v1/hosts/a%2Eexample%2Ecom/verify?team=crew");
}

#[tokio::test]
async fn invocations_are_paged_and_failures_shown_alone() {
    let (api, mut alice) = hello("owner");
    let many: Vec<Value> = (0..50).map(|_| receipt(json!({ "kind": "ok" }))).collect();
    api.on("GET /api/v1/handlers/hello/invocations?limit=50&failed=true", json!({ "receipts": many }));
    let page = alice.get("/handlers/hello/invocations?failed=true").await;
    page.is(200)
        .says(&format!("?before={ID}&amp;failed=true").replace("&amp;", "&#38;"))
        .says("answered an error");
    api.on(
        &format!("GET /api/v1/handlers/hello/invocations?limit=50&before={ID}"),
        json!({ "receipts": [] }),
    );
    let older = alice.get(&format!("/handlers/hello/invocations?before={ID}")).await;
    older.is(200).says("Nothing ran before that").says("Newest");
}

#[tokio::test]
async fn an_invocation_is_drawn_beside_its_limits_and_replayed_if_it_was_recorded() {
    let (api, mut alice) = hello("owner");
    let path = format!("/handlers/hello/invocations/{ID}");
    let page = alice.get(&path).await;
    page.is(200)
        .says("<meter")
        .says("1.5 s <span class=\"muted\">of 30 s</span>")
        .says("CPU time")
        .says("trap");
    page.says_no("Replay");
    let summary = |status: u16| json!({ "status": status, "outcome": "ok", "body_bytes": 3, "body_digest": digest(), "gas": 0, "wall_us": 9 });
    api.on(
        &format!("POST /api/v1/handlers/hello/invocations/{}/replay", encoded()),
        json!({
            "recorded": ID, "replay": ID, "recorded_version": 2, "version": 3, "same": false,
            "differences": [{ "place": "status", "before": SCRIPT, "now": "404" }], "gaps": [SCRIPT],
            "before": summary(200), "now": summary(404),
        }),
    );
    let page = alice.send(&path, &[("version", "3")]).await;
    page.is(200).says("another answer").says("404, ok, 3 B").says_no("<script>");
    assert_eq!(api.changes().pop().unwrap().body, json!({ "version": 3, "outbound": false }));
}

#[tokio::test]
async fn a_handler_that_is_not_there_is_said_to_be_so() {
    let (_, mut alice) = hello("owner");
    alice.get("/handlers/gone").await.is(404).says("role=\"alert\"");
    alice.get("/handlers/hello/nothing").await.is(404).says("no page at this address");
    let nobody = Browser::new(&Fake::new()).get("/handlers/hello/log").await;
    assert_eq!((nobody.status, nobody.to()), (303, "/sign-in?next=%2Fhandlers%2Fhello%2Flog"));
}

#[tokio::test]
async fn owners_give_a_handler_to_one_of_their_teams() {
    let (api, mut alice) = hello("owner");
    let team = json!({ "name": "crew", "role": "owner", "members": 1, "created_at": 0 });
    let offered = json!({ "role": "owner", "expires_at": 0 });
    let inviting =
        json!({ "name": "inviting", "role": null, "offered": offered, "members": 0, "created_at": 0 });
    api.on("GET /api/v1/teams", json!([team, inviting]));
    let page = alice.get("/handlers/hello/settings").await;
    page.says("<option value=\"crew\">").says_no("<option value=\"alice\">").says_no("inviting");
    api.refuses("POST /api/v1/handlers/hello/transfer", 409, "handler_has_routes", "it has routes");
    let filled = [("do", "transfer"), ("to", "crew")];
    alice
        .send("/handlers/hello/settings", &filled)
        .await
        .is(409)
        .says("it has routes")
        .says("crew\" selected");
    assert_eq!(api.told("POST /api/v1/handlers/hello/transfer"), json!({ "to": "crew" }));
}

#[tokio::test]
async fn a_handler_may_be_called_new() {
    let (api, mut alice) = hello("owner");
    let mut new = handler("owner");
    new["name"] = json!("new");
    api.on("GET /api/v1/handlers", json!([new]));
    api.on("GET /api/v1/handlers/new", new);
    alice.get("/handlers").await.says("href=\"/handlers/new/overview\"");
    alice.get("/handlers/new/overview").await.is(200).says("Live version").says("href=\"/handlers/new/log\"");
    alice.get("/handlers/new").await.is(200).says("New handler");
    let reloaded = alice.get("/handlers/new/inspect").await;
    assert_eq!((reloaded.status, reloaded.to()), (303, "/handlers/new"));
}
