//! Logs, receipts, and following them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wasmcloud_wire::body::{Deployed, Invocation, Invocations, Logs};
use wasmcloud_wire::{ControlPlane as _, InvocationId, Level};

use crate::app::{Client, TestApp, record};

/// Server-sent events as they arrive.
struct Events {
    response: reqwest::Response,
    text: String,
}

#[derive(Debug)]
struct Seen {
    id: String,
    event: String,
    data: Value,
}

impl Events {
    async fn of(client: &Client, query: &str, last_event_id: Option<&str>) -> Events {
        let mut request = client.request("GET", &format!("/api/v1/handlers/hello/logs?follow=true{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Events { response, text: String::new() }
    }

    /// The next event; `None` at the end. Comments are passed over.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if block.starts_with(':') {
                    continue;
                }
                let field = |name: &str| {
                    let line = block.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_else(|| panic!("{block}")).to_owned()
                };
                let data = serde_json::from_str(&field("data: ")).unwrap();
                return Some(Seen { id: field("id: "), event: field("event: "), data });
            }
            let part = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&part).unwrap());
        }
    }

    async fn line(&mut self) -> String {
        let seen = self.next().await.unwrap();
        assert_eq!(seen.event, "line", "{seen:?}");
        seen.data["text"].as_str().unwrap().to_owned()
    }
}

async fn app_with_handler() -> (TestApp, Client, Deployed) {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let deployed = alice.has_handler("hello").await;
    (app, alice, deployed)
}

async fn keep(
    app: &TestApp,
    deployed: &Deployed,
    invocation: InvocationId,
    seq: u32,
    text: &str,
    last: bool,
) {
    app.core.record(vec![record(deployed.handler.id, invocation, seq, text, last)]).await.unwrap();
}

#[tokio::test]
async fn an_invocation_can_be_looked_up_by_its_id() {
    let (app, alice, deployed) = app_with_handler().await;
    let (mine, other) = (InvocationId::new(), InvocationId::new());
    let path = format!("/api/v1/handlers/hello/invocations/{mine}");
    alice.get(&path).await.error(404, "invocation_not_found");
    alice.get("/api/v1/handlers/hello/invocations/nonsense").await.error(404, "invocation_not_found");
    keep(&app, &deployed, mine, 0, "one", false).await;
    keep(&app, &deployed, other, 0, "another's", true).await;
    let running: Invocation = alice.get(&path).await.good(200);
    assert!(running.receipt.is_none());
    keep(&app, &deployed, mine, 1, "two", true).await;
    let ended: Invocation = alice.get(&path).await.good(200);
    assert_eq!(ended.receipt.unwrap().invocation, mine);
    let texts: Vec<&str> = ended.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["one", "two"]);
    let all: Invocations = alice.get("/api/v1/handlers/hello/invocations").await.good(200);
    let ids: Vec<InvocationId> = all.receipts.iter().map(|receipt| receipt.invocation).collect();
    assert_eq!(ids, [mine, other]);
}

#[tokio::test]
async fn the_newest_lines_come_oldest_first() {
    let (app, alice, deployed) = app_with_handler().await;
    let invocation = InvocationId::new();
    for (seq, text) in ["one", "two", "three"].iter().enumerate() {
        keep(&app, &deployed, invocation, seq as u32, text, false).await;
    }
    let logs: Logs = alice.get("/api/v1/handlers/hello/logs?limit=2").await.good(200);
    let texts: Vec<&str> = logs.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["two", "three"]);
    let since = logs.lines[1].at.0 + 60_000;
    let none: Logs = alice.get(&format!("/api/v1/handlers/hello/logs?since={since}")).await.good(200);
    assert!(none.lines.is_empty());
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_refused() {
    let (_app, alice, _) = app_with_handler().await;
    for query in [
        "limit=many",
        "limit=-1",
        "limit=1001",
        "since=yesterday",
        "invocation=1",
        "follow=maybe",
        "lines=3",
        "level=loud",
        "level=7",
        "text=",
        "until=tomorrow",
        "follow=true&until=7",
        "limit=1&limit=2",
    ] {
        let answer = alice.get(&format!("/api/v1/handlers/hello/logs?{query}")).await;
        answer.error(422, "invalid");
    }
    let long = "x".repeat(201);
    alice.get(&format!("/api/v1/handlers/hello/logs?text={long}")).await.error(422, "invalid");
    for query in ["before=1", "failed=perhaps", "invocation=1", "limit=1001"] {
        alice.get(&format!("/api/v1/handlers/hello/invocations?{query}")).await.error(422, "invalid");
    }
    let request =
        alice.request("GET", "/api/v1/handlers/hello/logs?follow=true").header("last-event-id", "x");
    crate::app::Answer::of(request).await.error(422, "invalid");
}

#[tokio::test]
async fn a_follower_sees_what_there_is_and_then_what_comes() {
    let (app, alice, deployed) = app_with_handler().await;
    let (first, second) = (InvocationId::new(), InvocationId::new());
    keep(&app, &deployed, first, 0, "before", true).await;
    let mut events = Events::of(&alice, "", None).await;
    assert_eq!(events.line().await, "before");
    assert_eq!(events.next().await.unwrap().event, "receipt");
    keep(&app, &deployed, second, 0, "while it runs", false).await;
    assert_eq!(events.line().await, "while it runs");
    keep(&app, &deployed, second, 1, "last words", true).await;
    assert_eq!(events.line().await, "last words");
    let receipt = events.next().await.unwrap();
    assert_eq!((receipt.event.as_str(), &receipt.data["invocation"]), ("receipt", &json!(second)));
}

#[tokio::test]
async fn a_follower_that_lost_its_connection_goes_on_where_it_was() {
    let (app, alice, deployed) = app_with_handler().await;
    let invocation = InvocationId::new();
    for seq in 0..4 {
        keep(&app, &deployed, invocation, seq, &format!("line {seq}"), seq == 3).await;
    }
    let mut events = Events::of(&alice, "", None).await;
    assert_eq!(events.line().await, "line 0");
    let seen = events.next().await.unwrap();
    assert_eq!(seen.data["text"], "line 1");
    drop(events);
    let mut again = Events::of(&alice, "", Some(&seen.id)).await;
    assert_eq!(again.line().await, "line 2");
    let seen = again.next().await.unwrap();
    assert_eq!(seen.data["text"], "line 3");
    // Between a line and the receipt, too.
    let mut again = Events::of(&alice, "", Some(&seen.id)).await;
    assert_eq!(again.next().await.unwrap().event, "receipt");
}

#[tokio::test]
async fn a_slow_follower_misses_nothing_and_sees_nothing_twice() {
    const LINES: u32 = 1_700;
    let (app, alice, deployed) = app_with_handler().await;
    let events = Events::of(&alice, "&limit=0", None).await;
    let invocation = InvocationId::new();
    for start in (0..LINES).step_by(100) {
        let batch = (start..start + 100).map(|seq| {
            record(deployed.handler.id, invocation, seq, &format!("line {seq}"), seq == LINES - 1)
        });
        app.core.record(batch.collect()).await.unwrap();
    }
    // One that was there all the time, and one that comes late.
    for mut events in [events, Events::of(&alice, "", Some("0-0")).await] {
        for seq in 0..LINES {
            assert_eq!(events.line().await, format!("line {seq}"));
        }
        assert_eq!(events.next().await.unwrap().event, "receipt");
    }
}

#[tokio::test]
async fn a_user_follows_twenty_logs_at_once_and_nobody_elses_are_counted() {
    let (app, alice, _) = app_with_handler().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(Events::of(&alice, "", None).await);
    }
    let answer = alice.get("/api/v1/handlers/hello/logs?follow=true").await;
    answer.error(429, "too_many_followers");
    let bob = app.user("bob").await;
    bob.create("other", crate::app::module("other")).await.good::<Deployed>(201);
    let others = bob.request("GET", "/api/v1/handlers/other/logs?follow=true").send().await.unwrap();
    assert_eq!(others.status(), 200);
}

#[tokio::test]
async fn a_follower_of_one_invocation_sees_no_other() {
    let (app, alice, deployed) = app_with_handler().await;
    let (mine, other) = (InvocationId::new(), InvocationId::new());
    let mut events = Events::of(&alice, &format!("&invocation={mine}"), None).await;
    keep(&app, &deployed, other, 0, "another's", true).await;
    keep(&app, &deployed, mine, 0, "mine", true).await;
    assert_eq!(events.line().await, "mine");
    assert_eq!(events.next().await.unwrap().data["invocation"], json!(mine));
}

#[tokio::test]
async fn a_follower_sees_the_lines_that_are_wanted_and_every_receipt() {
    let (app, alice, deployed) = app_with_handler().await;
    let (first, second) = (InvocationId::new(), InvocationId::new());
    let mut events = Events::of(&alice, "&limit=0&level=error&text=disk", None).await;
    let say = async |invocation, seq, level, text: &str, last| {
        let mut record = record(deployed.handler.id, invocation, seq, text, last);
        record.lines[0].level = level;
        app.core.record(vec![record]).await.unwrap();
    };
    say(first, 0, Level::ERROR, "the network is gone", false).await;
    say(first, 1, Level::INFO, "the disk is fine", true).await;
    // Of what is read at once, lines come before receipts: so one is waited for before the other is said.
    let receipt = events.next().await.unwrap();
    assert_eq!((receipt.event.as_str(), &receipt.data["invocation"]), ("receipt", &json!(first)));
    say(second, 0, Level::ERROR, "the DISK is full", true).await;
    assert_eq!(events.line().await, "the DISK is full");
    assert_eq!(events.next().await.unwrap().data["invocation"], json!(second));

    // What is there already is searched in the same way; so is what is not followed.
    let mut late = Events::of(&alice, "&level=error&text=disk", None).await;
    assert_eq!(late.line().await, "the DISK is full");
    let logs: Logs =
        alice.get("/api/v1/handlers/hello/logs?level=warning&text=THE%20NETWORK").await.good(200);
    let texts: Vec<&str> = logs.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((texts, logs.more_before), (vec!["the network is gone"], None));
}

#[tokio::test]
async fn invocations_come_in_pages_and_failures_alone() {
    let (app, alice, deployed) = app_with_handler().await;
    let ids: Vec<InvocationId> = (0..3).map(|_| InvocationId::new()).collect();
    for (number, id) in ids.iter().enumerate() {
        let mut record = record(deployed.handler.id, *id, 0, "said", true);
        let receipt = record.receipt.as_mut().unwrap();
        receipt.started_at.0 += number as i64;
        receipt.status = Some(if number == 1 { 500 } else { 200 });
        app.core.record(vec![record]).await.unwrap();
    }
    let list = async |query: &str| {
        let path = format!("/api/v1/handlers/hello/invocations?{query}");
        let page: Invocations = alice.get(&path).await.good(200);
        page.receipts.into_iter().map(|receipt| receipt.invocation).collect::<Vec<_>>()
    };
    assert_eq!(list("limit=2").await, [ids[2], ids[1]]);
    assert_eq!(list(&format!("limit=2&before={}", ids[1])).await, [ids[0]]);
    assert_eq!(list("failed=true").await, [ids[1]]);
    assert!(list(&format!("failed=true&before={}", ids[1])).await.is_empty());
    let unknown = format!("/api/v1/handlers/hello/invocations?before={}", InvocationId::new());
    alice.get(&unknown).await.error(404, "invocation_not_found");
}

#[tokio::test]
async fn following_ends_when_the_token_does() {
    let (_app, alice, _) = app_with_handler().await;
    let mut events = Events::of(&alice, "", None).await;
    alice.post("/api/v1/logout", json!({})).await.done();
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_is_older_than_an_operator_keeps_is_dropped_at_the_start() {
    let (app, alice, deployed) = app_with_handler().await;
    keep(&app, &deployed, InvocationId::new(), 0, "old", true).await;
    // Another server on the same store, whose operator keeps nothing.
    let mut config = wasmcloud_api::Config::new(&app.key_file, "http://localhost:3001".parse().unwrap());
    config.record_days = 0;
    let core = wasmcloud_api::Core::new(Arc::clone(&app.store) as _, Arc::new(app.blobs.clone()), config);
    let core = core.await.unwrap();
    let listener = wasmcloud_listener::bind(([127, 0, 0, 1], 0).into(), "--api-listen").await.unwrap();
    let shutdown = CancellationToken::new();
    let serving = wasmcloud_api::serve(core, Arc::clone(&app.invoker) as _, listener, None, shutdown.clone());
    let gone =
        async { while !alice.get("/api/v1/handlers/hello/logs").await.good::<Logs>(200).lines.is_empty() {} };
    let gone = async {
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        shutdown.cancel();
        gone
    };
    let (served, gone) = tokio::join!(serving, gone);
    served.unwrap();
    gone.expect("the record is still there");
}
