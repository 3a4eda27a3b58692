//! Changes reach those who follow any process, whichever process made them.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use wasmcloud_api::store::{ChangeStore as _, PostgresStore, Schema, SettingChanges, SettingRow, Store as _};
use wasmcloud_testkit::Cluster;
use wasmcloud_wire::{Change, ChangeStream, ControlPlane as _, HandlerId};

use crate::database::Database;
use crate::eventually::eventually;
use crate::plane::Plane;
use crate::pooler::Pooler;
use crate::store_story::{FITS, NOW, added, created, module, new_handler, new_user, sealed};

/// Far longer than any change takes to be told.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// What changes next; heartbeats are passed over.
pub async fn next(changes: &mut ChangeStream) -> Change {
    let deadline = Instant::now() + TOLD_WITHIN;
    loop {
        let change =
            tokio::time::timeout_at(deadline.into(), changes.next()).await.expect("a change in time");
        match change.expect("the stream goes on") {
            Change::Heartbeat => {}
            change => return change,
        }
    }
}

pub fn of(handler: &str) -> Change {
    Change::Handler { name: handler.parse().unwrap() }
}

/// Begins to follow: the first thing that is said is to ask for everything.
pub async fn follow(plane: &Plane) -> ChangeStream {
    let mut changes = plane.core.changes().await.unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    changes
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_is_told_once() {
    let database = Database::postgres().await;
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let plane = Plane::start(database.open().await.unwrap()).await;
    let mut changes = follow(&plane).await;
    let cups = "cups".parse().unwrap();

    // Several rows in one transaction are one change. The next one is told after all that this one told.
    created(store.create_handler(new_handler(ada, "cups"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));
    created(store.create_handler(new_handler(ada, "wands"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("wands"));

    added(store.add_version(ada, &cups, module("two"), None, None, &FITS).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));
    let edit = |_: HandlerId, _: &[SettingRow]| {
        Ok(SettingChanges { set: vec![sealed("KEY", "value")], unset: Vec::new() })
    };
    store.edit_settings(ada, &cups, &edit).await.unwrap();
    assert_eq!(next(&mut changes).await, of("cups"));
    store.set_forward_authorization(ada, &cups, true).await.unwrap();
    assert_eq!(next(&mut changes).await, of("cups"));
    assert!(store.delete_handler(ada, &cups, NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));
    created(store.create_handler(new_handler(ada, "swords"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("swords"));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_deploys_every_process_tells_its_executors() {
    let database = Database::postgres().await;
    let mut planes = Vec::new();
    for _ in 0..3 {
        planes.push(Plane::start(database.open().await.unwrap()).await);
    }
    let mut followers = Vec::new();
    for plane in &planes {
        followers.push(follow(plane).await);
    }
    for (number, plane) in planes.iter().enumerate() {
        let name = format!("from-{number}");
        plane.deploy(&name).await;
        for changes in &mut followers {
            assert_eq!(next(changes).await, of(&name));
        }
    }
    for plane in planes {
        plane.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_of_the_database_are_heard() {
    let database = Database::postgres().await;
    let store = database.open().await.unwrap();
    let mut watch = store.watch_changes();
    while !watch.arrives() {
        watch.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_pooler_hides_notifications_changes_are_looked_for() {
    let cluster = Cluster::shared();
    let url = cluster.create_database().await;
    let pooler = Pooler::before(&url).await;
    let store = PostgresStore::connect_as(&pooler.url(), Schema::Migrate).await.unwrap();
    let watch = store.watch_changes();
    let plane = Plane::start(std::sync::Arc::new(store)).await;
    let mut changes = follow(&plane).await;

    // Somebody else's: nothing in this process says that there is one.
    let other = PostgresStore::connect(&url).await.unwrap();
    let ada = other.create_user(new_user("ada")).await.unwrap().id;
    created(other.create_handler(new_handler(ada, "cups"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));

    eventually("a notification that is hidden", || async { (pooler.hidden() > 0).then_some(()) }).await;
    created(other.create_handler(new_handler(ada, "wands"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("wands"));
    assert!(!watch.arrives(), "none arrived");
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_far_behind_asks_for_everything() {
    let database = Database::postgres().await;
    let store = database.open().await.unwrap();
    let plane = Plane::start(database.open().await.unwrap()).await;
    let mut changes = follow(&plane).await;
    // One transaction, so that it is seen at once.
    database
        .sql(
            "INSERT INTO changes (kind, name) SELECT 'handler', 'made-' || n FROM generate_series(1, 2000) n;
              NOTIFY wasmcloud_changes",
        )
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    created(store.create_handler(new_handler(ada, "cups"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_has_gone_back_is_asked_for_everything() {
    let database = Database::postgres().await;
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let plane = Plane::start(database.open().await.unwrap()).await;
    let mut changes = follow(&plane).await;
    created(store.create_handler(new_handler(ada, "cups"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("cups"));
    // As a copy that was restored.
    database
        .sql("DELETE FROM changes; ALTER SEQUENCE changes_position_seq RESTART; NOTIFY wasmcloud_changes")
        .await
        .unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    created(store.create_handler(new_handler(ada, "wands"), NOW).await.unwrap());
    assert_eq!(next(&mut changes).await, of("wands"));
    plane.stop().await;
}
