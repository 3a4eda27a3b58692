//! Tries that are limited whichever process they come to, and by the address that a trusted proxy tells.

use std::sync::Arc;

use serde_json::json;
use wasmcloud_api::store::{Store, TryWindow};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::Audit;

use crate::app::{Answer, PASSWORD, TestApp};
use crate::database::{Database, on_both_databases};
use crate::eventually::eventually;
use crate::plane::Plane;

on_both_databases!(
    tries_are_counted_in_windows,
    the_sixth_try_is_refused_whichever_process_it_comes_to,
    tries_of_one_address_are_counted_in_all_processes,
    without_the_store_nobody_may_try,
);

async fn tries_are_counted_in_windows(database: Database) {
    let store = database.open().await.unwrap();
    let now = Timestamp(1_600_000_000_000);
    let (this, next) = (TryWindow::at(now, 60), TryWindow::at(Timestamp(now.0 + 60_000), 60));
    let count = async |key, window| store.count_try(key, window).await.unwrap();
    assert_eq!((count("a", this).await, count("a", this).await, count("b", this).await), (1, 2, 1));
    assert_eq!(count("a", next).await, 1);
    let at_once = (0..20).map(|_| count("c", this));
    let mut counts = futures::future::join_all(at_once).await;
    counts.sort_unstable();
    assert_eq!(counts, (1..=20).collect::<Vec<_>>(), "each sees another number");
    store.forgive_tries("c", "a", this).await.unwrap();
    assert_eq!((count("c", this).await, count("a", this).await, count("a", next).await), (1, 2, 2));
    store.forgive_tries("nobody", "nobody", this).await.unwrap();
    assert_eq!(store.sweep_tries(Timestamp(0)).await.unwrap(), 0);
    assert_eq!(store.sweep_tries(Timestamp(i64::MAX)).await.unwrap(), 4);
}

async fn login(plane: &Plane, name: &str, password: &str) -> Answer {
    plane.anonymous().post("/api/v1/login", json!({ "username": name, "password": password })).await
}

/// Two processes that share a database, at the beginning of a minute.
async fn two(database: &Database) -> [Plane; 2] {
    eventually("the beginning of a minute", || async {
        (Timestamp::now().0.rem_euclid(60_000) < 30_000).then_some(())
    })
    .await;
    let store: Arc<dyn Store> = database.open().await.unwrap();
    let other = database.open().await.unwrap();
    [Plane::start(store).await, Plane::start(other).await]
}

async fn the_sixth_try_is_refused_whichever_process_it_comes_to(database: Database) {
    let planes = two(&database).await;
    planes[0].user("ada").await;
    // A minute may end among them all the same: then it takes some more.
    let mut refused = None;
    for number in 0..11 {
        let answer = login(&planes[number % 2], "ada", "not the password").await;
        if answer.status == 429 {
            refused = Some((number, answer));
            break;
        }
        answer.error(401, "wrong_credentials");
    }
    let (number, answer) = refused.expect("nobody was refused");
    assert!(number >= 5, "the {number}th was refused");
    answer.error(429, "too_many_tries");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    login(&planes[0], "bob", "not the password").await.error(401, "wrong_credentials");
}

async fn tries_of_one_address_are_counted_in_all_processes(database: Database) {
    let planes = two(&database).await;
    planes[0].user("ada").await;
    // Those that are good do not count.
    for number in 0..30 {
        assert_eq!(login(&planes[number % 2], "ada", PASSWORD).await.status, 200, "{number}");
    }
    let mut tried = 0;
    for number in 0..41_usize {
        let answer = login(&planes[number % 2], &format!("user-{number}"), "not the password").await;
        if answer.status == 429 {
            break;
        }
        answer.error(401, "wrong_credentials");
        tried += 1;
    }
    assert!((20..40).contains(&tried), "{tried} were tried");
}

async fn without_the_store_nobody_may_try(database: Database) {
    let store = database.open().await.unwrap();
    let plane = Plane::start(store).await;
    plane.user("ada").await;
    database.sql("ALTER TABLE tries RENAME TO lost").await.unwrap();
    login(&plane, "ada", PASSWORD).await.error(503, "unavailable");
    database.sql("ALTER TABLE lost RENAME TO tries").await.unwrap();
    assert_eq!(login(&plane, "ada", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn clients_of_a_trusted_proxy_are_counted_apart_and_noted_by_their_own_addresses() {
    let app = TestApp::start_with(|config| {
        let loopback = ["127.0.0.0/8", "::1/128"].map(|range| range.parse().unwrap());
        config.trusted_proxies = wasmcloud_listener::TrustedProxies::new(loopback);
    })
    .await;
    let root = app.admin("root").await;
    let from = async |forwarded: &str, name: String| {
        let request = app.anonymous().request("POST", "/api/v1/login").header("x-forwarded-for", forwarded);
        Answer::of(request.json(&json!({ "username": name, "password": "not the password" }))).await
    };
    // What the client itself claims stands left of what the proxy adds.
    for number in 0..20 {
        let answer = from(&format!("198.51.100.{number}, 203.0.113.7"), format!("user-{number}")).await;
        answer.error(401, "wrong_credentials");
    }
    from("203.0.113.7", "another".to_owned()).await.error(429, "too_many_tries");
    from("::ffff:203.0.113.7", "another".to_owned()).await.error(429, "too_many_tries");
    from("203.0.113.8", "another".to_owned()).await.error(401, "wrong_credentials");
    let audit: Audit = root.get("/api/v1/audit?action=login&limit=2").await.good(200);
    let peers: Vec<&str> = audit.entries.iter().map(|entry| entry.peer.as_str()).collect();
    assert_eq!(peers, ["203.0.113.8", "203.0.113.7"]);
}
