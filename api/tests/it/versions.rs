//! Previews, splits, going back, and being taken back.

use std::time::Duration;

use serde_json::json;
use wasmcloud_api::store::VersionStore as _;
use wasmcloud_wire::body::{Deployed, Handler, Logs, Promoted, RolledBack, Version};
use wasmcloud_wire::{
    Change, ControlPlane as _, ExecutorReport, HandlerId, InvocationId, Level, Outcome, Record, Source,
    Split, Timestamp, Trigger, VersionNumber,
};

use crate::app::{Client, Heard, TestApp, module, receipt};
use crate::executors::report;

const HELLO: &str = "/api/v1/handlers/hello";
const V1: VersionNumber = VersionNumber(1);
const V2: VersionNumber = VersionNumber(2);

async fn two_versions() -> (TestApp, Client, HandlerId) {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let handler = alice.has_handler("hello").await.handler.id;
    let _: Deployed = alice.update("hello", module("two")).await.good(201);
    (app, alice, handler)
}

async fn promote(client: &Client, body: serde_json::Value) -> Promoted {
    client.post(&format!("{HELLO}/promote"), body).await.good(200)
}

async fn rollback(client: &Client) -> Promoted {
    client.send("POST", &format!("{HELLO}/rollback"), "").await.good(200)
}

async fn shown(client: &Client) -> Handler {
    client.get(HELLO).await.good(200)
}

#[tokio::test]
async fn a_rollback_goes_back_to_the_version_before_and_another_one_returns() {
    let (app, alice, _) = two_versions().await;
    let one = rollback(&alice).await.handler;
    assert_eq!((one.live, one.previous), (V1, Some(V2)));
    let told = Heard::Announce(Change::Handler { name: "hello".parse().unwrap() });
    assert_eq!(app.invoker.heard().last(), Some(&told), "executors knew of it before the answer came");
    let two = rollback(&alice).await.handler;
    assert_eq!((two.live, two.previous), (V2, Some(V1)));
    assert!(two.promoted_at >= one.promoted_at);

    alice.has_handler("fresh").await;
    let nothing = alice.send("POST", "/api/v1/handlers/fresh/rollback", "").await;
    assert!(nothing.error(409, "no_previous_version").contains("nothing to go back to"));
    let mallory = app.user("mallory").await;
    mallory.send("POST", &format!("{HELLO}/rollback"), "").await.error(404, "handler_not_found");
}

#[tokio::test]
async fn a_version_that_is_not_promoted_has_an_address_and_leaves_the_live_one() {
    let (app, alice, _) = two_versions().await;
    let path = format!("{HELLO}/module?promote=false");
    let three: Deployed = alice.send("PUT", &path, module("three")).await.good(201);
    assert_eq!((three.version, three.handler.live), (VersionNumber(3), V2));
    let preview = three.preview.unwrap();
    assert_eq!(preview.url, "http://v3--hello.localhost:3001/");
    assert_ne!(preview.digest, three.handler.digest);
    assert!(app.invoker.heard().contains(&Heard::PrepareEnded(preview.digest)), "it is warm");

    // Policy and settings would change the live version.
    for (field, value) in [("wasmcloud-policy", "{}"), ("wasmcloud-env", r#"{"set":{"A":{"value":"b"}}}"#)] {
        let request = alice.request("PUT", &path).header(field, value).body(module("four"));
        crate::app::Answer::of(request).await.error(422, "preview_with_changes");
    }
    alice.send("PUT", &format!("{HELLO}/module?promote=perhaps"), module("four")).await.error(422, "invalid");
    let promoted = promote(&alice, json!({"version": 3})).await.handler;
    assert_eq!(
        (promoted.live, promoted.previous, promoted.digest),
        (VersionNumber(3), Some(V2), preview.digest)
    );
}

#[tokio::test]
async fn a_split_is_told_to_executors_shown_and_ended() {
    let (app, alice, _) = two_versions().await;
    let split = |percent| Some(Split { version: V1, percent });
    let begun = promote(&alice, json!({"version": 1, "percent": 10})).await.handler;
    assert_eq!((begun.live, begun.split), (V2, split(10)));
    let live = app.core.resolve(&"hello".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((live.version, live.split), (V2, split(10)));
    let versions: Vec<Version> = alice.get(&format!("{HELLO}/versions")).await.good(200);
    let roles: Vec<_> = versions.iter().map(|version| (version.live, version.split_percent)).collect();
    assert_eq!(roles, [(true, None), (false, Some(10))]);

    let ended = promote(&alice, json!({"version": 1, "percent": 0})).await;
    assert_eq!((ended.handler.split, ended.ended), (None, split(10)));
    promote(&alice, json!({"version": 1, "percent": 20})).await;
    let undone = rollback(&alice).await;
    assert_eq!((undone.handler.live, undone.handler.split, undone.ended), (V2, None, split(20)));
    promote(&alice, json!({"version": 1, "percent": 30})).await;
    let whole = promote(&alice, json!({"version": 1, "percent": 100})).await;
    assert_eq!((whole.handler.live, whole.handler.split, whole.ended), (V1, None, split(30)));

    let promote = format!("{HELLO}/promote");
    alice.post(&promote, json!({"version": 1, "percent": 5})).await.error(409, "version_is_live");
    alice.post(&promote, json!({"version": 2, "percent": 101})).await.error(422, "invalid_percent");
    alice.post(&promote, json!({"version": 9, "percent": 5})).await.error(404, "version_not_found");
    alice.post(&promote, json!({"version": 2, "percent": 5})).await.good::<Promoted>(200);
    let updated: Deployed = alice.update("hello", module("three")).await.good(201);
    assert_eq!((updated.handler.live, updated.handler.split), (VersionNumber(3), None), "an upload ends it");
}

/// Has executors report so many requests to a version that went well, and so many that failed.
async fn reports(app: &TestApp, handler: HandlerId, version: VersionNumber, ok: u32, failed: u32) {
    reports_at(app, handler, version, ok, failed, Timestamp::now()).await;
}

async fn reports_at(
    app: &TestApp,
    handler: HandlerId,
    version: VersionNumber,
    ok: u32,
    failed: u32,
    started_at: Timestamp,
) {
    let record = |number| {
        let invocation = InvocationId::new();
        let mut receipt = receipt(handler, invocation);
        (receipt.version, receipt.trigger, receipt.started_at) = (version, Trigger::Edge, started_at);
        if number >= ok {
            receipt.outcome = Outcome::Exit { status: 1 };
        }
        Record { handler, invocation, lines: Vec::new(), receipt: Some(receipt), recording: None }
    };
    app.core.record((0..ok + failed).map(record).collect()).await.unwrap();
}

/// Looks until a version was taken back.
async fn taken_back(client: &Client) -> (Handler, RolledBack) {
    let look = async {
        loop {
            let handler = shown(client).await;
            if let Some(rolled_back) = handler.rolled_back.clone() {
                return (handler, rolled_back);
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.expect("nothing was taken back")
}

#[tokio::test]
async fn a_new_version_that_clearly_fails_more_is_taken_back_and_that_is_announced() {
    let (app, alice, handler) = two_versions().await;
    reports(&app, handler, V1, 200, 0).await;
    reports(&app, handler, V2, 5, 20).await;
    let (now, why) = taken_back(&alice).await;
    assert_eq!((now.live, now.previous, why.from, why.to), (V1, Some(V2), V2, V1));
    let rates =
        "version 2 failed 20 of 25 requests (80 %) since it became live, version 1 failed 0 of 200 requests";
    assert!(why.reason.contains(rates), "{}", why.reason);
    let told = Heard::Announce(Change::Handler { name: "hello".parse().unwrap() });
    let executors_know = async {
        while app.invoker.heard().iter().filter(|heard| **heard == told).count() < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), executors_know).await.expect("executors were not told");
    let logs: Logs = alice.get(&format!("{HELLO}/logs")).await.good(200);
    let line =
        logs.lines.iter().find(|line| line.source == Source::Platform).expect("a line of the platform's");
    assert_eq!(line.level, Level::ERROR);
    for words in [rates, "version 1 is live again", "wasmcloud promote hello 2", "--auto-rollback off"] {
        assert!(line.text.contains(words), "{words}: {}", line.text);
    }
    // Whoever goes on from there has decided anew.
    let again = rollback(&alice).await.handler;
    assert_eq!((again.live, again.rolled_back), (V2, None));
}

#[tokio::test]
async fn a_version_of_a_split_that_fails_ends_the_split() {
    let (app, alice, handler) = two_versions().await;
    let _: Deployed =
        alice.send("PUT", &format!("{HELLO}/module?promote=false"), module("three")).await.good(201);
    promote(&alice, json!({"version": 3, "percent": 10})).await;
    reports(&app, handler, V2, 200, 0).await;
    reports(&app, handler, VersionNumber(3), 0, 20).await;
    let (now, why) = taken_back(&alice).await;
    assert_eq!((now.live, now.split, why.from, why.to), (V2, None, VersionNumber(3), V2));
}

#[tokio::test]
async fn nothing_is_taken_back_where_the_owner_does_not_want_it() {
    let (app, alice, handler) = two_versions().await;
    let off: Handler = alice.patch(HELLO, json!({"auto_rollback": false})).await.good(200);
    assert!(!off.auto_rollback);
    reports(&app, handler, V1, 200, 0).await;
    reports(&app, handler, V2, 0, 100).await;
    assert_eq!(app.store.watched(Timestamp(0)).await.unwrap(), []);
    // Turned on, the same counts decide at the next look: until then nothing had.
    assert_eq!(shown(&alice).await.rolled_back, None);
    alice.patch(HELLO, json!({"auto_rollback": true})).await.good::<Handler>(200);
    assert_eq!(taken_back(&alice).await.0.live, V1);
}

#[tokio::test]
async fn what_was_counted_while_records_were_dropped_takes_nothing_back() {
    let (app, alice, handler) = two_versions().await;
    let watched = alice.has_handler("watched").await.handler.id;
    let _: Deployed = alice.update("watched", module("watched, two")).await.good(201);
    app.core.report(ExecutorReport { records_dropped: 5, ..report("worker-1") }).await.unwrap();
    // What began before it is known that records were dropped does not count; what begins later does.
    reports(&app, handler, V1, 200, 0).await;
    reports(&app, handler, V2, 0, 100).await;
    reports(&app, watched, V1, 200, 0).await;
    reports_at(&app, watched, V2, 0, 100, Timestamp(Timestamp::now().0 + 600_000)).await;
    let look = async {
        loop {
            let handler: Handler = alice.get("/api/v1/handlers/watched").await.good(200);
            if handler.rolled_back.is_some() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("nothing was taken back");
    let hello = shown(&alice).await;
    assert_eq!((hello.live, hello.rolled_back), (V2, None));
}

#[tokio::test]
async fn what_is_taken_back_only_goes_to_a_version_that_can_run() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let small = module("small");
    let large = wat::parse_str(r#"(module (memory (export "memory") 64) (func (export "_start")))"#).unwrap();
    let handler = alice.create("hello", large.into()).await.good::<Deployed>(201).handler.id;
    let _: Deployed = alice.update("hello", small).await.good(201);
    alice
        .patch(&format!("{HELLO}/policy"), json!({"memory_bytes": 1 << 20}))
        .await
        .good::<serde_json::Value>(200);
    alice.send("POST", &format!("{HELLO}/rollback"), "").await.error(422, "over_limit");
    reports(&app, handler, V1, 200, 0).await;
    reports(&app, handler, V2, 0, 100).await;
    let said = async {
        loop {
            let logs: Logs = alice.get(&format!("{HELLO}/logs")).await.good(200);
            if let Some(line) = logs.lines.into_iter().find(|line| line.source == Source::Platform) {
                return line.text;
            }
        }
    };
    let text = tokio::time::timeout(Duration::from_secs(30), said).await.expect("nothing was said");
    assert!(text.contains("there is no way back") && text.contains("--memory-bytes"), "{text}");
    assert_eq!(shown(&alice).await.live, V2);
}

#[tokio::test]
async fn uploads_at_once_get_numbers_of_their_own_and_the_last_one_is_live() {
    let (_app, alice, _) = two_versions().await;
    let uploads = (0..8).map(|number| {
        let alice = alice.clone();
        async move {
            let query = if number % 2 == 0 { "" } else { "?promote=false" };
            let path = format!("{HELLO}/module{query}");
            let deployed: Deployed =
                alice.send("PUT", &path, module(&format!("at once {number}"))).await.good(201);
            (deployed.version.0, deployed.preview.is_none())
        }
    });
    let mut made = futures::future::join_all(uploads).await;
    made.sort_unstable();
    assert_eq!(made.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (3..11).collect::<Vec<_>>());
    let last_promoted = made.iter().filter(|(_, promoted)| *promoted).map(|(number, _)| *number).max();
    assert_eq!(Some(shown(&alice).await.live.0), last_promoted);
}
