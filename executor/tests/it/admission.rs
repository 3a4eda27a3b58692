//! Concurrency: who waits, who is turned away, and who notices nothing of it.

use futures::future::join_all;
use wasmcloud_wire::limits::{CONCURRENCY_PER_HANDLER_MAX, CONCURRENCY_PER_USER_MAX};
use wasmcloud_wire::{InvokeError, Invoker};

use crate::app::{TestExecutor, call, within};
use crate::client::Client;
use crate::wasm::{fixture, prints, sleeps};

/// Fills places of a handler with invocations that stay until their clients go.
async fn occupy(app: &TestExecutor, handler: &str, places: usize) -> Vec<Client> {
    let before = app.control.see(|state| state.lines("begun"));
    let clients = join_all((0..places).map(|_| async {
        let mut client = app.connect().await;
        client.send(format!("GET / HTTP/1.1\r\nhost: {handler}.localhost\r\n\r\n")).await;
        client
    }));
    let clients = clients.await;
    app.control.logged("begun", before + places).await;
    clients
}

#[tokio::test]
async fn the_33rd_invocation_of_a_handler_waits_and_is_then_turned_away() {
    let app = TestExecutor::start().await;
    app.deploy("full", &sleeps()).await;
    app.deploy("other", &prints("A: b\n\nunhurt")).await;
    let clients = occupy(&app, "full", CONCURRENCY_PER_HANDLER_MAX).await;
    assert_eq!(app.executor.running(), CONCURRENCY_PER_HANDLER_MAX);
    let started = std::time::Instant::now();
    let refused = app.get("full", "/");
    let others = async {
        for _ in 0..20 {
            assert_eq!(app.get("other", "/").await.text(), "unhurt");
        }
    };
    let (refused, ()) = tokio::join!(refused, others);
    assert!(started.elapsed().as_millis() >= 1_000, "it did not wait");
    assert_eq!((refused.status, refused.error().code.as_str()), (429, "busy"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(
        refused.error().message.contains("32 invocations of this handler"),
        "{}",
        refused.error().message
    );
    drop(clients);
}

#[tokio::test]
async fn who_waits_gets_the_place_of_the_first_who_leaves() {
    let app = TestExecutor::start().await;
    app.deploy("full", &sleeps()).await;
    let mut clients = occupy(&app, "full", CONCURRENCY_PER_HANDLER_MAX).await;
    // A new version of the same handler has no places of its own.
    app.deploy("full", &prints("A: b\n\nat last")).await;
    let mut waiting = app.connect().await;
    waiting.send("GET / HTTP/1.1\r\nhost: full.localhost\r\n\r\n").await;
    clients.pop();
    let answer = waiting.answer(false).await;
    assert_eq!((answer.status, answer.text()), (200, "at last"));
}

#[tokio::test]
async fn a_users_handlers_share_64_places_and_other_users_have_their_own() {
    let app = TestExecutor::start().await;
    let owner = app.deploy("one", &sleeps()).await.owner;
    app.deploy_with("two", &sleeps(), |deployment| deployment.owner = owner).await;
    app.deploy_with("three", &prints("A: b\n\n"), |deployment| deployment.owner = owner).await;
    app.deploy("other", &prints("A: b\n\nunhurt")).await;
    let _one = occupy(&app, "one", CONCURRENCY_PER_HANDLER_MAX).await;
    let _two = occupy(&app, "two", CONCURRENCY_PER_USER_MAX - CONCURRENCY_PER_HANDLER_MAX).await;
    let (refused, other) = tokio::join!(app.get("three", "/"), app.get("other", "/"));
    assert_eq!((refused.status, other.text()), (429, "unhurt"));
    assert!(refused.error().message.contains("64 invocations of this user"), "{}", refused.error().message);
}

#[tokio::test]
async fn places_are_given_back_however_an_invocation_ends() {
    let app = TestExecutor::start().await;
    for (name, module) in [
        ("traps", fixture("trap")),
        ("ends-late", fixture("trap_late")),
        ("talks-nonsense", fixture("nph")),
        ("loops", fixture("infinite_loop")),
        ("is-well", prints("A: b\n\n")),
    ] {
        app.deploy_with(name, &module, |deployment| deployment.limits.gas = 100_000).await;
        for _ in 0..CONCURRENCY_PER_HANDLER_MAX + 3 {
            assert_ne!(app.get(name, "/").await.status, 429, "{name}");
        }
    }
    app.deploy("sleeps", &sleeps()).await;
    let clients = occupy(&app, "sleeps", CONCURRENCY_PER_HANDLER_MAX).await;
    drop(clients);
    app.deploy("sleeps", &prints("A: b\n\nawake")).await;
    let awake = async { while app.get("sleeps", "/").await.text() != "awake" {} };
    within("places are given back", awake).await;
}

#[tokio::test]
async fn invocations_through_the_api_are_counted_with_the_others() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("full", &sleeps()).await;
    let _clients = occupy(&app, "full", CONCURRENCY_PER_HANDLER_MAX).await;
    match within("an answer", app.executor.invoke(call(&deployment, "/"))).await {
        Err(InvokeError::Busy { executor_full, retry_after_s, .. }) => {
            assert_eq!((executor_full, retry_after_s), (false, 1));
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}
