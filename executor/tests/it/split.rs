//! A split: another version answers a part of the clients, each client always by the same version.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmcloud_wire::{RouteKey, Split, Trigger, VersionNumber};

use crate::app::{DOMAIN, TestExecutor};
use crate::bodies::variables;
use crate::client::Answer;
use crate::wasm::{fixture, prints};

const OLD: VersionNumber = VersionNumber(1);
const NEW: VersionNumber = VersionNumber(2);
/// Requests that a test has on their way at once.
const AT_ONCE: usize = 16;

fn says(text: &str) -> Vec<u8> {
    prints(&format!("A: b\n\n{text}"))
}

/// An executor where the handler `hello` has two versions, the old one live.
async fn two_versions() -> TestExecutor {
    let app = TestExecutor::start().await;
    app.deploy("hello", &says("old")).await;
    app.store("hello", &says("new"), |_| ());
    split(&app, 0).await;
    app
}

/// Lets the new version answer so many percent of the clients.
async fn split(app: &TestExecutor, percent: u8) {
    app.control.update(|state| {
        let pinned = |version| RouteKey { handler: "hello".parse().unwrap(), version: Some(version) };
        let mut live = state.deployments[&pinned(OLD)].clone();
        live.split = (percent > 0).then_some(Split { version: NEW, percent });
        state.deployments.insert("hello".parse().unwrap(), live);
    });
    app.announce("hello").await;
}

async fn get(app: &TestExecutor, fields: &str) -> Answer {
    let answer = app.raw(format!("GET / HTTP/1.1\r\nhost: hello.{DOMAIN}\r\n{fields}\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// What each of these clients is answered, by its name.
async fn ask_all(app: &TestExecutor, clients: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let answers = clients.map(|fields| {
        let places = places.clone();
        async move {
            let _place = places.acquire().await.unwrap();
            let text = get(app, &fields).await.text().to_owned();
            (fields, text)
        }
    });
    futures::future::join_all(answers).await.into_iter().collect()
}

fn addresses() -> impl Iterator<Item = String> {
    (0..1_000).map(|number| format!("x-forwarded-for: 198.51.{}.{}\r\n", number / 250, number % 250))
}

fn cookies() -> impl Iterator<Item = String> {
    (0..100).map(|bucket| format!("cookie: Wasmcloud-Split={bucket}\r\n"))
}

fn new_ones(answers: &BTreeMap<String, String>) -> Vec<&String> {
    answers.iter().filter(|(_, text)| *text == "new").map(|(client, _)| client).collect()
}

#[tokio::test]
async fn a_percentage_of_the_clients_gets_the_other_version_and_keeps_it_while_the_part_grows() {
    let app = two_versions().await;
    let mut before: Vec<String> = Vec::new();
    for percent in [1, 10, 50, 99] {
        split(&app, percent).await;
        assert_eq!(new_ones(&ask_all(&app, cookies()).await).len(), usize::from(percent));
        let answers = ask_all(&app, addresses()).await;
        let new: Vec<String> = new_ones(&answers).into_iter().cloned().collect();
        // Of 1 000 clients; four standard deviations of chance are 64 at most.
        let expected = usize::from(percent) * 10;
        assert!(new.len().abs_diff(expected) <= 64, "{percent} %: {}", new.len());
        assert!(
            before.iter().all(|client| new.contains(client)),
            "a client lost the new version at {percent} %"
        );
        before = new;
    }
    split(&app, 0).await;
    assert!(new_ones(&ask_all(&app, cookies().chain(addresses().take(100))).await).is_empty());
}

#[tokio::test]
async fn a_client_is_given_a_bucket_once_and_keeps_its_version_wherever_it_comes_from() {
    let app = two_versions().await;
    let without = get(&app, "").await;
    assert_eq!(without.header("set-cookie"), None, "there is no split");
    split(&app, 50).await;
    for number in 0..20 {
        let first = get(&app, &format!("x-forwarded-for: 203.0.113.{number}\r\n")).await;
        let cookie = first.header("set-cookie").expect("a cookie");
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Max-Age=604800; HttpOnly; SameSite=Lax");
        for elsewhere in 0..5 {
            let fields = format!("x-forwarded-for: 192.0.2.{elsewhere}\r\ncookie: {pair}\r\n");
            let next = get(&app, &fields).await;
            assert_eq!((next.text(), next.header("set-cookie")), (first.text(), None), "{pair}");
        }
    }
    // By path, the cookie is for the handler's paths alone; a pinned address has no split.
    let by_path = app.raw(format!("GET /~hello/ HTTP/1.1\r\nhost: {DOMAIN}\r\n\r\n")).await;
    assert!(by_path.header("set-cookie").unwrap().contains("Path=/~hello;"), "{by_path:?}");
    let pinned = app.raw(format!("GET / HTTP/1.1\r\nhost: v1--hello.{DOMAIN}\r\n\r\n")).await;
    assert_eq!((pinned.text(), pinned.header("set-cookie")), ("old", None));
    // What is no bucket is replaced.
    let odd = get(&app, "cookie: Wasmcloud-Split=100\r\n").await;
    assert!(odd.header("set-cookie").is_some());
}

#[tokio::test]
async fn a_receipt_says_which_version_of_a_split_ran() {
    let app = two_versions().await;
    split(&app, 50).await;
    for (bucket, version) in [(0, NEW), (49, NEW), (50, OLD), (99, OLD)] {
        let answer = get(&app, &format!("cookie: Wasmcloud-Split={bucket}\r\n")).await;
        assert_eq!(app.recorded(&answer).await.receipt.version, version, "bucket {bucket}");
    }
}

#[tokio::test]
async fn a_program_never_sees_the_platforms_cookie() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("env")).await;
    for (sent, seen) in
        [("Wasmcloud-Split=7", None), ("a=1; Wasmcloud-Split=7; b=2", Some("a=1; b=2")), ("a=1", Some("a=1"))]
    {
        let answer = get(&app, &format!("cookie: {sent}\r\n")).await;
        assert_eq!(variables(answer.text()).get("HTTP_COOKIE").copied(), seen, "{sent}");
    }
}

#[tokio::test]
async fn where_the_other_version_cannot_be_had_the_live_one_answers() {
    let app = two_versions().await;
    let pinned = RouteKey { handler: "hello".parse().unwrap(), version: Some(NEW) };
    let new = app.control.update(|state| state.deployments.remove(&pinned)).unwrap();
    split(&app, 99).await;
    assert_eq!(get(&app, "cookie: Wasmcloud-Split=0\r\n").await.text(), "old");
    app.control.update(|state| state.deployments.insert(pinned, new));
    split(&app, 99).await;
    assert_eq!(get(&app, "cookie: Wasmcloud-Split=0\r\n").await.text(), "new");
}

#[tokio::test]
async fn the_other_version_is_known_before_anybody_asks_and_answers_while_the_control_plane_is_away() {
    let app = two_versions().await;
    get(&app, "").await;
    let asked = app.control.see(|state| state.resolved);
    split(&app, 10).await;
    app.control.until("both are asked for", |state| (state.resolved >= asked + 2).then_some(())).await;
    // Compiled as an upload has it.
    get(&app, "cookie: Wasmcloud-Split=0\r\n").await;
    app.control.update(|state| state.is_down = true);
    assert_eq!(get(&app, "cookie: Wasmcloud-Split=0\r\n").await.text(), "new");
    assert_eq!(get(&app, "cookie: Wasmcloud-Split=10\r\n").await.text(), "old");
}

#[tokio::test]
async fn a_receipt_says_whether_the_client_chose_the_version_itself() {
    let app = two_versions().await;
    split(&app, 50).await;
    let plain = get(&app, "").await;
    let own = plain.header("set-cookie").unwrap().split([';', '=']).nth(1).unwrap().to_owned();
    let other = (own.parse::<u8>().unwrap() + 50) % 100;
    let kept = get(&app, &format!("cookie: Wasmcloud-Split={own}\r\n")).await;
    let named = get(&app, &format!("cookie: Wasmcloud-Split={other}\r\n")).await;
    let pinned = app.get("v2--hello", "/").await;
    for (answer, trigger) in [
        (&plain, Trigger::Edge),
        (&kept, Trigger::Edge),
        (&named, Trigger::Chosen),
        (&pinned, Trigger::Chosen),
    ] {
        assert_eq!(app.recorded(answer).await.receipt.trigger, trigger, "{answer:?}");
    }
}
