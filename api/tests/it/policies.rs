//! A handler's policy: set, changed, learned, and in force from the answer on.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use wasmcloud_api::store::{NewModule, Store as _};
use wasmcloud_wire::limits::POLICY_BYTES_MAX;
use wasmcloud_wire::{
    Change, Digest, Inspection, InvocationId, Limits, Outbound, Policy, PolicyMode, Receipt, Record,
    Timestamp,
};

use crate::app::{Answer, Client, Heard, Prepares, TestApp, inspection, module, receipt};
use crate::store_story::{FITS, added};

const POLICY: &str = "/api/v1/handlers/hello/policy";

fn changed() -> Heard {
    Heard::Announce(Change::Handler { name: "hello".parse().unwrap() })
}

fn hint(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["error"]["hint"].as_str().unwrap().to_owned()
}

async fn limits_of_next_call(app: &TestApp, client: &Client) -> Limits {
    client.post("/api/v1/handlers/hello/invoke", json!({})).await;
    app.invoker.calls().last().unwrap().deployment.limits.clone()
}

#[tokio::test]
async fn a_policy_is_set_and_changed_and_told_before_the_answer() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200), Policy::default());

    let rule = r"^https://api\.example\.com/";
    let set: Policy = alice.put(POLICY, json!({"allow": [rule], "gas": 1_000})).await.good(200);
    assert_eq!((set.allow, set.gas, set.mode), (vec![rule.to_owned()], Some(1_000), PolicyMode::Deny));
    assert_eq!(app.invoker.heard().last(), Some(&changed()));
    assert_eq!(limits_of_next_call(&app, &alice).await, Limits { gas: 1_000, ..Limits::default() });
    let call = app.invoker.calls().pop().unwrap();
    assert_eq!(call.deployment.urls.allow, [rule]);

    let patch = json!({
        "add": {"allow": ["^https://b/"], "disallow": ["/admin"]}, "remove": {"allow": [rule]},
        "mode": "observe", "gas": null, "wall_ms": 300_000,
    });
    let changed_policy: Policy = alice.patch(POLICY, patch).await.good(200);
    assert_eq!(changed_policy.allow, ["^https://b/"]);
    assert_eq!((changed_policy.mode, changed_policy.gas), (PolicyMode::Observe, None));
    assert_eq!(app.invoker.heard().last(), Some(&changed()));
    assert_eq!(limits_of_next_call(&app, &alice).await, Limits { wall_ms: 300_000, ..Limits::default() });
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200), changed_policy);

    // What a GET says can be PUT as it is.
    let same: Policy = alice.put(POLICY, &changed_policy).await.good(200);
    assert_eq!(same, changed_policy);
}

#[tokio::test]
async fn what_cannot_be_a_policy_is_refused_with_its_name_and_changes_nothing() {
    let app = TestApp::start_with(|config| config.limits_max.gas = 5_000_000_000).await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    for (body, code, part) in [
        (json!({"allow": ["^https://a/", "("]}), "invalid_policy", "allow rule 2: `(`"),
        (json!({"disallow": [""]}), "invalid_policy", "disallow rule 1: an empty rule"),
        (json!({"gas": 0}), "invalid_policy", "gas is 0"),
        (
            json!({"gas": 5_000_000_001u64}),
            "over_ceiling",
            "gas is 5000000001; this server's ceiling is 5000000000",
        ),
        (json!({"wall_ms": 300_001}), "over_ceiling", "wall_ms is 300001; this server's ceiling is 300000"),
        (json!({"memory_bytes": (1u64 << 30) + 1}), "over_ceiling", "1073741824"),
        (json!({"alow": []}), "invalid_body", "unknown field `alow`"),
        (json!({"mode": "open"}), "invalid_body", "`open`"),
        (json!([["^https://a/"]]), "invalid_body", "expected an object"),
        (json!([]), "invalid_body", "expected an object"),
    ] {
        let message = alice.put(POLICY, &body).await.error(422, code);
        assert!(message.contains(part), "{body}: {message}");
        let uploaded = alice
            .request("PUT", "/api/v1/handlers/hello/module")
            .header("Wasmcloud-Policy", body.to_string())
            .body(module("second"));
        let code = if code == "invalid_body" { "invalid_policy" } else { code };
        let message = Answer::of(uploaded).await.error(422, code);
        assert!(message.contains(part), "{body}: {message}");
    }
    let added = alice.patch(POLICY, json!({"add": {"allow": ["("]}})).await;
    assert!(added.error(422, "invalid_policy").contains("allow rule 1"));
    assert!(hint(&added).contains("regular expression"));
    let by_position = alice.patch(POLICY, json!({"add": [["^https://a/"]]})).await;
    assert!(by_position.error(422, "invalid_body").contains("expected an object"));
    let large = json!({"allow": ["a".repeat(POLICY_BYTES_MAX)]});
    alice.put(POLICY, large).await.error(413, "body_too_large");
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200), Policy::default());
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 1);
}

#[tokio::test]
async fn many_changes_at_once_are_all_kept() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let changes = (0..10).map(|number| {
        let alice = alice.clone();
        async move { alice.patch(POLICY, json!({"add": {"allow": [format!("^https://{number}/")]}})).await }
    });
    for answer in futures::future::join_all(changes).await {
        answer.good::<Policy>(200);
    }
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200).allow.len(), 10);
}

#[tokio::test]
async fn an_upload_brings_its_policy_with_it() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let upload = async |method: &str, path: &str, policies: &[&str], module| {
        let mut request = alice.request(method, path).body(module);
        for policy in policies {
            request = request.header("wasmcloud-policy", *policy);
        }
        Answer::of(request).await
    };
    let create = "/api/v1/handlers?name=hello";
    upload("POST", create, &[r#"{"gas":7,"allow":["\u00fc"]}"#], module("one")).await.good::<Value>(201);
    let policy: Policy = alice.get(POLICY).await.good(200);
    assert_eq!((policy.gas, policy.allow), (Some(7), vec!["\u{fc}".to_owned()]));
    assert_eq!(limits_of_next_call(&app, &alice).await.gas, 7);

    let update = "/api/v1/handlers/hello/module";
    upload("PUT", update, &[], module("two")).await.good::<Value>(201);
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200).gas, Some(7));
    upload("PUT", update, &[r#"{"gas":8}"#], module("three")).await.good::<Value>(201);
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200).gas, Some(8));

    upload("PUT", update, &["{}", "{}"], module("four")).await.error(422, "invalid_policy");
    let large = format!(r#"{{"allow":["{}"]}}"#, "a".repeat(POLICY_BYTES_MAX));
    upload("PUT", update, &[&large], module("four")).await.error(422, "invalid_policy");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 3);
}

fn with_memory(pages: u32) -> bytes::Bytes {
    let wat = format!(r#"(module (memory (export "memory") {pages}) (func (export "_start")))"#);
    wat::parse_str(wat).unwrap().into()
}

#[tokio::test]
async fn a_policy_decides_which_modules_fit_and_a_refusal_says_how_to_let_them_in() {
    let app = TestApp::start_with(|config| config.limits_max.memory_bytes = 512 << 20).await;
    let alice = app.user("alice").await;
    let big = alice.create("hello", with_memory(4_096)).await;
    assert!(big.error(422, "over_limit").contains("2048 pages"));
    assert!(hint(&big).contains(r#"{"memory_bytes": 536870912}"#), "{}", hint(&big));
    alice.has_handler("hello").await;

    let big = alice.update("hello", with_memory(4_096)).await;
    big.error(422, "over_limit");
    let command = "wasmcloud policy set hello --memory-bytes 536870912";
    assert!(hint(&big).ends_with(command), "{}", hint(&big));
    alice.patch(POLICY, json!({"memory_bytes": 268_435_456u64})).await.good::<Policy>(200);
    alice.update("hello", with_memory(4_096)).await.good::<Value>(201);

    alice.update("hello", module("small")).await.good::<Value>(201);
    alice.put(POLICY, json!({"memory_bytes": 1 << 20})).await.good::<Policy>(200);
    let small = alice.update("hello", with_memory(32)).await;
    assert!(small.error(422, "over_limit").contains("16 pages"));
    assert!(hint(&small).ends_with("wasmcloud policy set hello --memory-bytes 4194304"), "{}", hint(&small));

    let above = alice.update("hello", with_memory(8_193)).await;
    above.error(422, "over_limit");
    assert!(!hint(&above).contains("policy"), "no policy could let it in: {}", hint(&above));
}

#[tokio::test]
async fn a_policy_below_what_the_live_version_begins_with_is_refused_with_both_numbers() {
    let app = TestApp::start_with(|config| config.limits_max.memory_bytes = 512 << 20).await;
    let alice = app.user("alice").await;
    let upload = alice.request("POST", "/api/v1/handlers?name=hello").body(with_memory(4_096));
    let enough = r#"{"memory_bytes":268435456}"#;
    Answer::of(upload.header("wasmcloud-policy", enough)).await.good::<Value>(201);

    for (method, policy, limit) in [
        ("PUT", json!({"memory_bytes": 268_435_455}), "268435455"),
        ("PUT", json!({}), "134217728"),
        ("PATCH", json!({"memory_bytes": 65_536}), "65536"),
        ("PATCH", json!({"memory_bytes": null}), "134217728"),
    ] {
        let refused = Answer::of(alice.request(method, POLICY).json(&policy)).await;
        let message = refused.error(422, "over_limit");
        assert!(message.contains("begins with 268435456 bytes"), "{method} {policy}: {message}");
        assert!(message.ends_with(&format!("would be {limit} bytes")), "{method} {policy}: {message}");
        let command = "wasmcloud policy set hello --memory-bytes 536870912";
        assert!(hint(&refused).ends_with(command), "{}", hint(&refused));
    }
    let policy: Policy = alice.get(POLICY).await.good(200);
    assert_eq!(policy.memory_bytes, Some(268_435_456));
    alice.patch(POLICY, json!({"memory_bytes": 268_435_457})).await.good::<Policy>(200);
}

#[tokio::test]
async fn a_version_that_begins_with_more_than_the_policy_allows_cannot_be_promoted() {
    let app = TestApp::start_with(|config| config.limits_max.memory_bytes = 512 << 20).await;
    let alice = app.user("alice").await;
    alice.create("hello", with_memory(32)).await.good::<Value>(201);
    alice.update("hello", module("small")).await.good::<Value>(201);
    alice.put(POLICY, json!({"memory_bytes": 1 << 20})).await.good::<Policy>(200);
    let promote =
        async |version: u32| alice.post("/api/v1/handlers/hello/promote", json!({"version": version})).await;

    let announced = app.invoker.heard().len();
    let refused = promote(1).await;
    let message = refused.error(422, "over_limit");
    assert!(message.contains("version 1 begins with 2097152 bytes"), "{message}");
    assert!(message.contains("1048576 bytes"), "{message}");
    assert!(
        hint(&refused).ends_with("wasmcloud policy set hello --memory-bytes 4194304"),
        "{}",
        hint(&refused)
    );
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 2);
    assert_eq!(app.invoker.heard().len(), announced, "nothing changed, so nothing is told");

    alice.patch(POLICY, json!({"memory_bytes": 2 << 20})).await.good::<Policy>(200);
    assert_eq!(promote(1).await.good::<Value>(200)["live"], 1);
}

#[tokio::test]
async fn a_policy_that_is_lowered_while_an_upload_goes_on_refuses_it_in_the_end() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let (second, release) = (with_memory(32), Arc::new(Notify::new()));
    app.invoker.at_prepare(&second, Prepares::Holding(Arc::clone(&release)));
    let upload = tokio::spawn({
        let alice = alice.clone();
        async move { alice.update("hello", second).await }
    });
    app.invoker.holding.notified().await;
    alice.patch(POLICY, json!({"memory_bytes": 1 << 20})).await.good::<Policy>(200);
    release.notify_one();
    let message = upload.await.unwrap().error(422, "over_limit");
    assert!(message.contains("begins with 2097152 bytes") && message.contains("1048576 bytes"), "{message}");
    assert_eq!(alice.get("/api/v1/handlers/hello").await.good::<Value>(200)["live"], 1);
    assert_eq!(app.stored_modules().await, 1, "the refused bytes are gone");
}

#[tokio::test]
async fn a_limit_that_the_operator_lowered_stands_in_the_way_of_no_other_change() {
    let app = TestApp::start_with(|config| config.limits_max.memory_bytes = 1 << 20).await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    let inspection = Inspection { memory_bytes_min: 2 << 20, ..inspection() };
    let module = NewModule { digest: Digest::of(b"from before"), inspection };
    let owner = alice.whoami().await.id;
    added(app.store.add_version(owner, &"hello".parse().unwrap(), module, None, None, &FITS).await.unwrap());

    alice.patch(POLICY, json!({"gas": 5})).await.good::<Policy>(200);
    let refused = alice.patch(POLICY, json!({"memory_bytes": 1 << 20})).await;
    refused.error(422, "over_limit");
    assert!(hint(&refused).contains("ceiling is 1048576 bytes"), "no command can help: {}", hint(&refused));
}

#[tokio::test]
async fn anothers_policy_is_not_there() {
    let app = TestApp::start().await;
    let (alice, mallory) = (app.user("alice").await, app.user("mallory").await);
    alice.has_handler("hello").await;
    alice.put(POLICY, json!({"gas": 5})).await.good::<Policy>(200);
    for client in [&mallory, &app.admin("root").await] {
        client.get(POLICY).await.error(404, "handler_not_found");
        client.put(POLICY, json!({})).await.error(404, "handler_not_found");
        client.patch(POLICY, json!({"gas": 6})).await.error(404, "handler_not_found");
        client.get(&format!("{POLICY}/learned")).await.error(404, "handler_not_found");
    }
    app.anonymous().get(POLICY).await.error(401, "unauthorized");
    assert_eq!(alice.get(POLICY).await.good::<Policy>(200).gas, Some(5));
}

#[tokio::test]
async fn a_learned_policy_is_the_smallest_that_would_have_done_and_can_be_put() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let handler = alice.has_handler("hello").await.handler.id;
    let learned = format!("{POLICY}/learned");
    let nothing = alice.get(&learned).await;
    nothing.error(404, "nothing_learned");
    assert!(hint(&nothing).contains("wasmcloud policy set hello --mode observe"));

    alice.put(POLICY, json!({"mode": "observe", "disallow": ["/admin"]})).await.good::<Policy>(200);
    let run = |started_at: i64, urls: &[&str], denied: &[&str]| {
        let owned = |urls: &[&str]| urls.iter().map(|&url| url.to_owned()).collect::<Vec<_>>();
        let invocation = InvocationId::new();
        let receipt = Receipt {
            started_at: Timestamp(started_at),
            urls: owned(urls),
            outbound: Outbound { denied: owned(denied), ..Outbound::default() },
            gas: 3_000_000,
            memory_peak_bytes: 65_536,
            wall_us: 1_500_000,
            ..receipt(handler, invocation)
        };
        Record { handler, invocation, lines: Vec::new(), receipt: Some(receipt), recording: None }
    };
    let now = Timestamp::now().0;
    let mut records = vec![run(now - 1_000, &["https://old.example/"], &[])];
    records
        .extend((0..250).map(|_| run(now, &["https://a.example/x", "log://"], &["https://a.example/admin"])));
    app.executor().post("/internal/v1/records", &records).await.done();

    let all: Policy = alice.get(&learned).await.good(200);
    assert_eq!(all.allow, [r"^https://a\.example/x$", r"^https://old\.example/$"]);
    assert_eq!((all.disallow, all.mode), (vec!["/admin".to_owned()], PolicyMode::Deny));
    let limits = (all.gas, all.wall_ms, all.memory_bytes);
    assert_eq!(limits, (Some(6_000_000), Some(6_000), Some(1 << 20)));

    let newer: Policy = alice.get(&format!("{learned}?since={now}")).await.good(200);
    assert_eq!(newer.allow, [r"^https://a\.example/x$"]);
    assert_eq!(alice.put(POLICY, &newer).await.good::<Policy>(200), newer);
    alice.get(&format!("{learned}?since=soon")).await.error(422, "invalid");
}
