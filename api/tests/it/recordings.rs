//! Recording, replay and comparison over HTTP.

use bytes::Bytes;
use serde_json::{Value, json};
use wasmcloud_wire::{
    Change, Comparison, Event, PolicyMode, Record, Recorded, Recording, Replay, Trigger, VersionNumber,
};

use crate::app::{Client, Heard, TestApp, module, receipt};
use crate::store_story::recordings::{record, recording};

/// An app with a handler `tea` that is recorded.
async fn taped() -> (TestApp, Client, Recording) {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let handler = ada.has_handler("tea").await.handler;
    ada.patch("/api/v1/handlers/tea", json!({"recording": {}})).await.good::<Value>(200);
    let mut recording = recording(handler.id, "GET", 1);
    recording.request.target = "/?a=b".to_owned();
    app.store_record(&recording).await;
    (app, ada, recording)
}

impl TestApp {
    async fn store_record(&self, recording: &Recording) {
        use wasmcloud_api::store::Store as _;
        let batch: [Record; 1] = [record(recording)];
        self.store.record(&batch).await.unwrap();
    }

    /// What the next invocation answers.
    fn answers(&self, recording: &Recording, status: u16, body: &'static [u8]) {
        let events = self.invoker.next_invocation();
        let receipt = Box::new(receipt(recording.handler, recording.invocation));
        events.send(Event::Head { status, headers: Vec::new() }).unwrap();
        events.send(Event::Body { bytes: Bytes::from_static(body) }).unwrap();
        events.send(Event::End { receipt }).unwrap();
    }
}

#[tokio::test]
async fn recording_is_off_until_it_is_turned_on_and_executors_are_told() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    ada.has_handler("tea").await;
    let policy = async || ada.get("/api/v1/handlers/tea/recording").await.good::<Value>(200);
    assert_eq!(policy().await, Value::Null);
    let told = || app.invoker.heard().iter().filter(|heard| matches!(heard, Heard::Announce(_))).count();
    let before = told();

    let asked = json!({"recording": {"methods": ["post", "GET"], "redact": ["X-Key"], "keep": 5}});
    ada.patch("/api/v1/handlers/tea", &asked).await.good::<Value>(200);
    assert_eq!(policy().await, json!({"methods": ["GET", "POST"], "redact": ["x-key"], "keep": 5}));
    assert_eq!(told(), before + 1);
    let name = "tea".parse().unwrap();
    assert_eq!(app.invoker.heard().pop(), Some(Heard::Announce(Change::Handler { name })));

    // What is absent stays; null turns it off.
    ada.patch("/api/v1/handlers/tea", json!({})).await.good::<Value>(200);
    assert_ne!(policy().await, Value::Null);
    bob.patch("/api/v1/handlers/tea", json!({"recording": null})).await.error(404, "handler_not_found");
    bob.get("/api/v1/handlers/tea/recording").await.error(404, "handler_not_found");
    for bad in [json!({"keep": 0}), json!({"keep": 1001}), json!({"methods": []}), json!({"redact": ["a b"]})]
    {
        ada.patch("/api/v1/handlers/tea", json!({ "recording": bad })).await.error(422, "invalid");
    }
    assert_ne!(policy().await, Value::Null);
    ada.patch("/api/v1/handlers/tea", json!({"recording": null})).await.good::<Value>(200);
    assert_eq!(policy().await, Value::Null);
}

#[tokio::test]
async fn a_recording_is_found_by_its_id_by_its_owner_alone() {
    let (app, ada, recording) = taped().await;
    let (bob, id) = (app.user("bob").await, recording.invocation);
    let found: Recorded = ada.get(&format!("/api/v1/recordings/{id}")).await.good(200);
    assert_eq!((found.handler.as_str(), &found.recording), ("tea", &recording));
    let path = format!("/api/v1/handlers/tea/invocations/{id}/recording");
    assert_eq!(ada.get(&path).await.good::<Recording>(200), recording);
    bob.get(&path).await.error(404, "handler_not_found");
    bob.get(&format!("/api/v1/recordings/{id}")).await.error(404, "not_recorded");
    ada.has_handler("coffee").await;
    let elsewhere = format!("/api/v1/handlers/coffee/invocations/{id}/recording");
    ada.get(&elsewhere).await.error(404, "not_recorded");
    ada.get("/api/v1/recordings/nonsense").await.error(422, "invalid");
    let unknown = ada.get(&format!("/api/v1/recordings/{}", recording.handler)).await;
    let hint: Value = serde_json::from_slice(&unknown.body).unwrap();
    assert!(hint["error"]["hint"].as_str().unwrap().contains("--record GET,HEAD"), "{hint}");
}

#[tokio::test]
async fn a_replay_has_what_was_recorded_and_says_whether_the_answer_is_the_same() {
    let (app, ada, recording) = taped().await;
    ada.put("/api/v1/handlers/tea/policy", json!({"allow": ["https://example.com/"], "mode": "observe"}))
        .await
        .good::<Value>(200);
    ada.update("tea", module("second")).await.good::<Value>(201);
    let path = format!("/api/v1/handlers/tea/invocations/{}/replay", recording.invocation);

    app.answers(&recording, 200, b"answer");
    let replay: Replay = ada.post(&path, json!({})).await.good(200);
    assert!(replay.same && replay.differences.is_empty(), "{replay:?}");
    assert_eq!((replay.recorded, replay.version), (recording.invocation, Some(VersionNumber(1))));
    assert_eq!(replay.gaps, recording.gaps);
    let call = app.invoker.calls().pop().unwrap();
    assert_eq!((call.trigger, call.deployment.version), (Trigger::Replay, VersionNumber(1)));
    assert_eq!((&call.request, &call.body), (&recording.request, &recording.body));
    assert_eq!(call.inputs.as_deref(), Some(&recording.inputs));
    assert_ne!(call.invocation, recording.invocation);
    assert_eq!((call.deployment.urls.allow.len(), call.deployment.urls.mode), (0, PolicyMode::Deny));
    assert_eq!(call.deployment.recording, None);

    app.answers(&recording, 500, b"other");
    let replay: Replay = ada.post(&path, json!({"version": 2, "outbound": true})).await.good(200);
    let places: Vec<&str> = replay.differences.iter().map(|one| one.place.as_str()).collect();
    assert_eq!((replay.same, places), (false, vec!["status", "body"]));
    let call = app.invoker.calls().pop().unwrap();
    assert_eq!(call.deployment.version, VersionNumber(2));
    assert_eq!(call.deployment.urls.allow, ["https://example.com/"]);

    ada.post(&path, json!({"version": 9})).await.error(404, "version_not_found");
    app.user("bob").await.post(&path, json!({})).await.error(404, "handler_not_found");
}

#[tokio::test]
async fn a_comparison_gives_both_versions_the_same_requests() {
    let (app, ada, first) = taped().await;
    ada.update("tea", module("second")).await.good::<Value>(201);
    ada.update("tea", module("third")).await.good::<Value>(201);
    let second = recording(first.handler, "POST", 2);
    app.store_record(&second).await;
    let path = "/api/v1/handlers/tea/compare";

    let found: Comparison = ada.post(path, json!({"version": 2})).await.good(200);
    assert_eq!((found.live, found.version), (VersionNumber(3), VersionNumber(2)));
    assert!(found.same && found.not_compared == 0 && found.problems.is_empty(), "{found:?}");
    // The other request is not safe, and nobody asked for it.
    let ids: Vec<_> = found.pairs.iter().map(|pair| pair.recorded).collect();
    assert_eq!(ids, [first.invocation]);
    let calls = app.invoker.calls();
    let versions: Vec<u32> = calls.iter().map(|call| call.deployment.version.0).collect();
    assert_eq!(versions, [3, 2]);
    assert!(calls.iter().all(|call| call.inputs.as_deref() == Some(&first.inputs)));
    assert!(calls.iter().all(|call| call.request == first.request));

    // Of the next two runs one answers and the other does not.
    app.answers(&first, 200, b"answer");
    let found: Comparison = ada.post(path, json!({"version": 2})).await.good(200);
    assert!(!found.same, "{found:?}");
    let places: Vec<&str> = found.pairs[0].differences.iter().map(|one| one.place.as_str()).collect();
    assert_eq!(places, ["status", "body"]);

    let both: Comparison =
        ada.post(path, json!({"version": 2, "methods": ["GET", "POST"], "last": 5})).await.good(200);
    assert_eq!(both.pairs.len(), 2);
    let last: Comparison =
        ada.post(path, json!({"version": 2, "methods": ["GET", "POST"], "last": 1})).await.good(200);
    assert_eq!(last.pairs[0].recorded, second.invocation);

    ada.post(path, json!({"version": 2, "methods": ["PUT"]})).await.error(404, "nothing_recorded");
    ada.post(path, json!({"version": 9})).await.error(404, "version_not_found");
    for last in [0, 101] {
        ada.post(path, json!({"version": 2, "last": last})).await.error(422, "invalid");
    }
    app.user("bob").await.post(path, json!({"version": 2})).await.error(404, "handler_not_found");
}

#[tokio::test]
async fn a_version_that_cannot_be_run_is_not_compared_and_says_why() {
    let (app, ada, _) = taped().await;
    ada.update("tea", module("second")).await.good::<Value>(201);
    *app.invoker.invokes_with.lock().unwrap() =
        Some(Err(wasmcloud_wire::InvokeError::Unavailable("gone".to_owned())));
    let found: Comparison = ada.post("/api/v1/handlers/tea/compare", json!({"version": 1})).await.good(200);
    assert_eq!((found.same, found.not_compared, found.pairs.len()), (false, 1, 0));
    assert!(found.problems[0].contains("gone"), "{:?}", found.problems);
}

#[tokio::test]
async fn a_version_can_be_fetched_by_its_owner() {
    let (app, ada, _) = taped().await;
    let path = "/api/v1/handlers/tea/versions/1/module";
    let answer = ada.get(path).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/wasm")));
    assert_eq!(answer.body, module("tea"));
    ada.get("/api/v1/handlers/tea/versions/2/module").await.error(404, "version_not_found");
    app.user("bob").await.get(path).await.error(404, "handler_not_found");
}
