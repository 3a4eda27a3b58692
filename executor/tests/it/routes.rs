//! The routing table: what it remembers, and what makes it forget.

use std::collections::BTreeSet;

use wasmcloud_wire::{Change, Invoker};

use crate::app::TestExecutor;
use crate::wasm::prints;

fn says(text: &str) -> Vec<u8> {
    prints(&format!("A: b\n\n{text}"))
}

fn change(name: &str) -> Change {
    Change::Handler { name: name.parse().unwrap() }
}

fn resolved(app: &TestExecutor) -> usize {
    app.control.see(|state| state.resolved)
}

#[tokio::test]
async fn a_known_address_is_not_asked_for_again() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    for _ in 0..5 {
        assert_eq!(app.get("hello", "/").await.text(), "one");
    }
    assert_eq!(resolved(&app), 1);
    // Heartbeats say nothing about any handler.
    app.control.tell(Change::Heartbeat).await;
    app.control.tell(change("another")).await;
    assert_eq!((app.get("hello", "/").await.text(), resolved(&app)), ("one", 1));
}

#[tokio::test]
async fn an_update_that_is_announced_is_visible_at_once() {
    let app = TestExecutor::start().await;
    for number in 0..20 {
        let text = number.to_string();
        app.deploy("hello", &says(&text)).await;
        assert_eq!(app.get("hello", "/").await.text(), text);
    }
}

#[tokio::test]
async fn an_update_that_the_change_stream_tells_is_visible_then() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &says("two"), |_| ());
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.control.tell(change("hello")).await;
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn a_deleted_handler_is_gone_as_soon_as_it_is_told() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("v1--hello", "/").await.status, 200);
    app.control.update(|state| state.deployments.clear());
    app.executor.announce(&change("hello")).await;
    assert_eq!(app.get("hello", "/").await.status, 404);
    assert_eq!(app.get("v1--hello", "/").await.status, 404);
}

#[tokio::test]
async fn after_a_resync_everything_is_asked_for_again() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &says("two"), |_| ());
    app.control.tell(Change::Resync).await;
    assert_eq!(app.get("hello", "/").await.text(), "two");
    let asked = resolved(&app);
    // By the request or in the background, or by both.
    assert!((2..=3).contains(&asked), "{asked}");
    assert_eq!((app.get("hello", "/").await.text(), resolved(&app)), ("two", asked));
}

#[tokio::test]
async fn a_stream_that_ends_is_asked_for_again_and_begins_with_a_resync() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.store("hello", &says("two"), |_| ());
    app.control.cut();
    app.control.followed_again().await;
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn while_the_control_plane_is_down_what_is_known_keeps_answering() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("one")).await;
    assert_eq!(app.get("hello", "/").await.text(), "one");
    app.control.tell(Change::Resync).await;
    app.control.update(|state| state.is_down = true);
    for _ in 0..3 {
        assert_eq!(app.get("hello", "/").await.text(), "one");
    }
    let answer = app.get("unknown", "/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    app.control.update(|state| state.is_down = false);
    assert_eq!(app.get("unknown", "/").await.status, 404);
    app.store("hello", &says("two"), |_| ());
    app.control.tell(Change::Resync).await;
    assert_eq!(app.get("hello", "/").await.text(), "two");
}

#[tokio::test]
async fn an_absent_name_is_remembered_but_answers_at_once_when_it_is_created() {
    let app = TestExecutor::start().await;
    for _ in 0..3 {
        assert_eq!(app.get("hello", "/").await.status, 404);
    }
    // Remembered for a second: one question, or two where the machine is busy.
    assert!(resolved(&app) < 3, "{} questions", resolved(&app));
    app.deploy("hello", &says("created")).await;
    assert_eq!(app.get("hello", "/").await.text(), "created");
}

#[tokio::test]
async fn an_absent_name_is_found_without_being_told_after_a_while() {
    let app = TestExecutor::start().await;
    assert_eq!(app.get("hello", "/").await.status, 404);
    app.store("hello", &says("created"), |_| ());
    let found = async { while app.get("hello", "/").await.status == 404 {} };
    crate::app::within("the handler is found", found).await;
}

#[tokio::test]
async fn concurrent_deploys_never_show_an_answer_of_no_version() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("0")).await;
    let deploys = async {
        for number in 1..15 {
            app.deploy("hello", &says(&number.to_string())).await;
        }
    };
    let requests = async {
        let mut seen = BTreeSet::new();
        for _ in 0..60 {
            let answer = app.get("hello", "/").await;
            assert_eq!(answer.status, 200);
            seen.insert(answer.text().parse::<u32>().unwrap());
        }
        seen
    };
    let ((), seen) = tokio::join!(deploys, requests);
    assert!(seen.iter().all(|number| *number < 15), "{seen:?}");
    assert_eq!(app.get("hello", "/").await.text(), "14");
}
