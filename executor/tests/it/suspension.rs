//! Accounts that are suspended: what their addresses answer, and what becomes of what runs.

use futures::StreamExt as _;
use wasmcloud_wire::{Change, Event, HostRoute, InvokeError, Invoker, Outcome, RouteKey, UserId};

use crate::app::{TestExecutor, call, within};
use crate::client::{Answer, Client};
use crate::kinds::{ALL_KINDS, KINDS, Kind};
use crate::wasm::{prints, sleeps};

const REASON: &str = "it sent <b>spam</b> & more";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Suspends an account, or lifts that, and tells nobody.
fn suspend(app: &TestExecutor, owner: UserId, reason: Option<&str>) {
    app.control.update(|state| {
        let deployments = state.deployments.values_mut().filter(|deployment| deployment.owner == owner);
        deployments.for_each(|deployment| deployment.suspended = reason.map(str::to_owned));
    });
}

fn change(name: &str) -> Change {
    Change::Handler { name: name.parse().unwrap() }
}

/// Asks as somebody who takes this.
async fn ask(app: &TestExecutor, host: &str, accept: &str) -> Answer {
    app.raw(format!("GET /x HTTP/1.1\r\nhost: {host}\r\naccept: {accept}\r\n\r\n")).await
}

async fn begin(app: &TestExecutor, handler: &str) -> Client {
    let mut client = app.connect().await;
    client.send(format!("GET / HTTP/1.1\r\nhost: {handler}.localhost\r\n\r\n")).await;
    client
}

/// A program that answers, and then computes or waits without end.
fn endless(kind: Kind, computes: bool) -> Vec<u8> {
    let then = if computes { "(loop $more (br $more))" } else { "(call $wait (i32.const 600000))" };
    match kind {
        // It gives no answer, as long as it runs.
        Kind::Http => kind.program("", then),
        _ => kind.prints_then("A: b\n\nx", &format!("(call $push) {then}")),
    }
}

#[tokio::test]
async fn every_address_of_a_suspended_account_is_403_with_the_reason_as_text() {
    let app = TestExecutor::start().await;
    let owner = app.deploy("hello", &prints("A: b\n\n")).await.owner;
    let route = HostRoute { path: "/".to_owned(), handler: "hello".parse().unwrap(), strip_prefix: false };
    app.control.update(|state| state.routes.insert("www.example.com".parse().unwrap(), vec![route]));
    app.deploy("other", &prints("A: b\n\nunhurt")).await;
    suspend(&app, owner, Some(REASON));
    app.announce("hello").await;
    for host in ["hello.localhost", "v1--hello.localhost", "www.example.com"] {
        let page = ask(&app, host, BROWSER).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (403, Some("text/html; charset=utf-8")),
            "{host}"
        );
        let text = page.text();
        assert!(text.contains("<p>it sent &lt;b&gt;spam&lt;/b&gt; &amp; more</p>"), "{text}");
        assert!(text.contains(&page.invocation().to_string()) && !text.contains("<script"), "{text}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!((page.header("cache-control"), page.header("vary")), (Some("no-store"), Some("accept")));
        for accept in ["*/*", "application/json"] {
            let answer = ask(&app, host, accept).await;
            let error = answer.error();
            assert_eq!((answer.status, error.code.as_str()), (403, "suspended"));
            assert!(error.message.ends_with(REASON), "{error:?}");
        }
    }
    let upgrade = "GET / HTTP/1.1\r\nhost: hello.localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert_eq!(app.raw(upgrade).await.status, 403);
    assert_eq!(app.get("other", "/").await.text(), "unhurt");
    suspend(&app, owner, None);
    app.announce("hello").await;
    assert_eq!(app.get("hello", "/").await.status, 200);
}

#[tokio::test]
async fn an_invocation_through_the_api_is_refused_with_the_reason() {
    let app = TestExecutor::start().await;
    let mut deployment = app.deploy("hello", &prints("A: b\n\n")).await;
    deployment.suspended = Some(REASON.to_owned());
    let refused = app.executor.invoke(call(&deployment, "/")).await.err();
    assert!(matches!(&refused, Some(InvokeError::Suspended(reason)) if reason == REASON), "{refused:?}");
}

#[tokio::test]
async fn what_runs_for_an_account_ends_when_the_change_is_heard_whatever_it_does() {
    for computes in [false, true] {
        for kind in ALL_KINDS {
            let app = TestExecutor::start().await;
            let deployment = app
                .deploy_with("hello", &endless(kind, computes), |deployment| {
                    deployment.limits.gas = u64::MAX >> 1;
                    deployment.limits.cpu_ms = 30_000;
                })
                .await;
            let mut client = begin(&app, "hello").await;
            let answers = KINDS.contains(&kind);
            let head = if answers { Some(client.head(false).await) } else { None };
            if answers {
                assert_eq!(client.part().await.unwrap(), b"x", "{kind:?}");
            }
            let running = async {
                while app.executor.running() == 0 {
                    tokio::task::yield_now().await;
                }
            };
            within("it runs", running).await;
            suspend(&app, deployment.owner, Some(REASON));
            app.control.tell(change("hello")).await;
            let answer = match head {
                Some(head) => {
                    assert_eq!(client.part().await, None, "{kind:?}: it was cut");
                    assert!(client.is_closed().await, "{kind:?}");
                    head
                }
                None => client.answer(false).await,
            };
            let recorded = app.recorded(&answer).await;
            assert_eq!(recorded.receipt.outcome, Outcome::Suspended, "{kind:?}");
            recorded.line("ended: the account that owns the handler is suspended");
            if answers {
                assert_eq!((answer.status, recorded.receipt.status), (200, Some(200)), "{kind:?}");
            } else {
                assert_eq!((answer.status, answer.error().code.as_str()), (403, "suspended"), "{kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn other_handlers_of_the_account_end_with_it_and_other_accounts_go_on() {
    let app = TestExecutor::start().await;
    let owner = app.deploy("one", &sleeps()).await.owner;
    app.deploy_with("two", &sleeps(), |deployment| deployment.owner = owner).await;
    app.deploy("other", &sleeps()).await;
    let (mut one, mut two, _other) =
        (begin(&app, "one").await, begin(&app, "v1--two").await, begin(&app, "other").await);
    app.control.logged("begun", 3).await;
    suspend(&app, owner, Some(REASON));
    app.announce("two").await;
    for client in [&mut one, &mut two] {
        let answer = client.answer(false).await;
        assert_eq!((answer.status, answer.error().code.as_str()), (403, "suspended"));
        assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Suspended);
    }
    let left = async {
        while app.executor.running() != 1 {
            tokio::task::yield_now().await;
        }
    };
    within("one goes on", left).await;
}

#[tokio::test]
async fn what_the_api_began_ends_too_though_no_address_was_asked_for() {
    for change in [change("hello"), Change::Resync] {
        let app = TestExecutor::start().await;
        let deployment = app.deploy("hello", &sleeps()).await;
        let events = app.executor.invoke(call(&deployment, "/")).await.unwrap();
        app.control.logged("begun", 1).await;
        suspend(&app, deployment.owner, Some(REASON));
        app.control.tell(change).await;
        let events: Vec<Event> = within("it ends", events.collect()).await;
        let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
        assert_eq!(receipt.outcome, Outcome::Suspended);
    }
}

#[tokio::test]
async fn what_runs_ends_though_the_control_plane_fails_at_first_to_say_that_it_is_suspended() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &sleeps()).await;
    let mut client = begin(&app, "hello").await;
    app.control.logged("begun", 1).await;
    app.control.update(|state| state.is_down = true);
    let before = app.control.see(|state| state.resolved);
    app.control.tell(change("hello")).await;
    app.control.until("it was asked in vain", |state| (state.resolved > before).then_some(())).await;
    suspend(&app, deployment.owner, Some(REASON));
    app.control.update(|state| state.is_down = false);
    assert_eq!(client.answer(false).await.status, 403);
}

#[tokio::test]
async fn what_looked_its_deployment_up_before_and_begins_after_does_not_run() {
    let app = TestExecutor::start().await;
    let before = app.deploy("hello", &prints("A: b\n\n")).await;
    assert_eq!(app.get("hello", "/").await.status, 200);
    suspend(&app, before.owner, Some(REASON));
    app.announce("hello").await;
    let refused = app.executor.invoke(call(&before, "/")).await.err();
    assert!(matches!(&refused, Some(InvokeError::Suspended(reason)) if reason == REASON), "{refused:?}");
    suspend(&app, before.owner, None);
    app.announce("hello").await;
    assert!(app.executor.invoke(call(&before, "/")).await.is_ok());
    // What was there before is there again.
    let live: RouteKey = "hello".parse().unwrap();
    assert_eq!(app.control.see(|state| state.deployments[&live].suspended.clone()), None);
}
