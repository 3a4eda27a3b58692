//! Orphans: what nothing refers to goes once it is old, and never what somebody is just uploading.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::sync::Notify;
use uuid::Uuid;
use wasmcloud_api::store::Store;
use wasmcloud_api::{Config, Core, ORPHAN_GRACE, Swept, Target};
use wasmcloud_blob::Blobs;
use wasmcloud_testkit::s3::{Fault, S3Server};
use wasmcloud_wire::{Digest, EnvPatch, HandlerName, Invoker, Policy, Timestamp, UserId};

use crate::app::{FakeInvoker, Prepares, TestApp, module};
use crate::database::{Database, on_both_databases};
use crate::storage_faults::bucket;
use crate::store_story::new_user;

on_both_databases!(two_processes_that_upload_and_sweep_at_once_lose_nothing);

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Puts bytes that nothing refers to, as an upload does before a crash.
async fn orphan(app: &TestApp, text: &str) -> Digest {
    let bytes = module(text);
    let digest = Digest::of(&bytes);
    app.blobs.put(&digest, bytes).await.unwrap();
    digest
}

/// Makes a module look as if it had been put earlier.
fn age(app: &TestApp, digest: &Digest, age: Duration) {
    let name = digest.to_string();
    let root = app.key_file.parent().unwrap().join("modules");
    let file = std::fs::File::open(root.join(&name[..2]).join(&name[2..4]).join(&name)).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn what_nothing_refers_to_goes_when_it_is_a_day_old() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    for name in ["kept", "deleted", "shared-a", "shared-b"] {
        let text = name.split('-').next().unwrap();
        let _: serde_json::Value = alice.create(name, module(text)).await.good(201);
    }
    let _: serde_json::Value = alice.update("kept", module("kept, second version")).await.good(201);
    alice.delete("/api/v1/handlers/deleted").await.done();
    alice.delete("/api/v1/handlers/shared-a").await.done();
    let (old, young) = (orphan(&app, "old").await, orphan(&app, "young").await);
    for stored in app.blobs.list().await.unwrap() {
        age(&app, &stored.digest, if stored.digest == young { DAY / 2 } else { DAY * 2 });
    }

    let swept = app.core.sweep_modules(ORPHAN_GRACE).await.unwrap();
    assert_eq!((swept.objects, swept.deleted, swept.aborted), (6, 2, 0), "{swept:?}");
    assert!(swept.deleted_bytes > 0);
    for (digest, is_there) in [
        (Digest::of(&module("kept")), true),
        (Digest::of(&module("kept, second version")), true),
        (Digest::of(&module("shared")), true),
        (Digest::of(&module("deleted")), false),
        (old, false),
        (young, true),
    ] {
        assert_eq!(app.blobs.get(&digest).await.unwrap().is_some(), is_there, "{digest}");
    }
    // What was deleted can be uploaded again.
    let _: serde_json::Value = alice.create("deleted", module("deleted")).await.good(201);
    assert!(app.blobs.get(&Digest::of(&module("deleted"))).await.unwrap().is_some());
}

#[tokio::test]
async fn the_modules_of_another_installation_are_left_alone() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let _: serde_json::Value = alice.create("ours", module("ours")).await.good(201);
    alice.delete("/api/v1/handlers/ours").await.done();
    // An empty database that was given the place where another one's modules are.
    for number in 0..30 {
        orphan(&app, &format!("theirs {number}")).await;
    }
    for stored in app.blobs.list().await.unwrap() {
        age(&app, &stored.digest, DAY * 2);
    }
    let refused = app.core.sweep_modules(ORPHAN_GRACE).await.unwrap_err().to_string();
    assert!(refused.contains("30 of 31 stored modules") && refused.contains("--storage"), "{refused}");
    assert_eq!(app.blobs.list().await.unwrap().len(), 31);
}

#[tokio::test]
async fn nothing_is_swept_that_is_uploaded_again_at_that_moment() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let digest = orphan(&app, "again").await;
    age(&app, &digest, DAY * 2);

    let release = Arc::new(Notify::new());
    app.invoker.at_prepare(&module("again"), Prepares::Holding(Arc::clone(&release)));
    let uploading = tokio::spawn(async move { alice.create("again", module("again")).await });
    app.invoker.holding.notified().await;
    // Even if the bytes look old.
    age(&app, &digest, DAY * 2);
    assert_eq!(app.core.sweep_modules(ORPHAN_GRACE).await.unwrap().deleted, 0);
    release.notify_one();
    let _: serde_json::Value = uploading.await.unwrap().good(201);
    assert_eq!(app.core.sweep_modules(ORPHAN_GRACE).await.unwrap().deleted, 0);
    assert!(app.blobs.get(&digest).await.unwrap().is_some());
}

#[tokio::test]
async fn an_upload_waits_until_the_deletion_of_its_module_is_over() {
    let app = TestApp::start().await;
    let alice = app.user("alice").await;
    let digest = orphan(&app, "deleted").await;
    // Another process is deleting it.
    let (sweeper, now) = (Uuid::new_v4(), Timestamp::now());
    let store: Arc<dyn Store> = Arc::clone(&app.store) as _;
    let claimed = store.claim_unused(&[digest], sweeper, Timestamp(now.0 + 60_000), now).await.unwrap();
    assert_eq!(claimed, [digest]);

    let mut uploading = tokio::spawn(async move { alice.create("deleted", module("deleted")).await });
    let early = tokio::time::timeout(Duration::from_millis(500), &mut uploading).await;
    assert!(early.is_err(), "{early:?}");
    assert_eq!(app.invoker.heard(), []);
    app.blobs.delete(&digest).await.unwrap();
    store.release(sweeper).await.unwrap();

    let _: serde_json::Value = uploading.await.unwrap().good(201);
    assert!(app.blobs.get(&digest).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_swept_with_its_unfinished_uploads() {
    let server = S3Server::start();
    let app = TestApp::start_on(Arc::new(bucket(&server))).await;
    let blobs = bucket(&server);
    let bytes = module("orphan");
    blobs.put(&Digest::of(&bytes), bytes).await.unwrap();
    server.fail(Fault::Slow(Duration::from_millis(100)));
    let large = Bytes::from(vec![1; wasmcloud_blob::MULTIPART_ABOVE_BYTES + 1]);
    let digest = Digest::of(&large);
    tokio::select! {
        done = blobs.put(&digest, large.clone()) => panic!("{done:?}"),
        () = async { while server.unfinished_uploads().is_empty() { tokio::task::yield_now().await; } } => {}
    }
    server.heal();

    let nothing = Swept { objects: 1, ..Swept::default() };
    assert_eq!(app.core.sweep_modules(ORPHAN_GRACE).await.unwrap(), nothing);
    server.age(&server.objects()[0], DAY * 2);
    server.age_unfinished_uploads(DAY * 2);
    let swept = app.core.sweep_modules(ORPHAN_GRACE).await.unwrap();
    assert_eq!((swept.deleted, swept.aborted), (1, 1));
    assert_eq!((server.objects(), server.unfinished_uploads()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_that_fails_deletes_nothing_and_the_next_one_goes_on() {
    let server = S3Server::start();
    let app = TestApp::start_on(Arc::new(bucket(&server))).await;
    let bytes = module("orphan");
    bucket(&server).put(&Digest::of(&bytes), bytes).await.unwrap();
    server.age(&server.objects()[0], DAY * 2);
    server.fail(Fault::Down);
    app.core.sweep_modules(ORPHAN_GRACE).await.unwrap_err();
    server.heal();
    assert_eq!(app.core.sweep_modules(ORPHAN_GRACE).await.unwrap().deleted, 1);
}

/// Two processes over one database and one bucket: one uploads the same few modules again and again, and deletes its
/// handlers; the other deletes everything that nothing refers to, however young.
async fn two_processes_that_upload_and_sweep_at_once_lose_nothing(database: Database) {
    const ROUNDS: usize = 40;
    let server = S3Server::start();
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let folder = tempfile::tempdir().unwrap();
    let uploads = process(&database, &server, &folder, "one").await;
    let sweeps = process(&database, &server, &folder, "two").await;
    let blobs = bucket(&server);
    let uploading = tokio::spawn(async move {
        for round in 0..ROUNDS {
            let bytes = module(&format!("module {}", round % 3));
            let digest = Digest::of(&bytes);
            let name: HandlerName = format!("handler-{round}").parse().unwrap();
            upload(&uploads, ada, &name, bytes.clone()).await;
            assert_eq!(blobs.get(&digest).await.unwrap(), Some(bytes), "round {round}");
            assert!(store.delete_handler(ada, &name, Timestamp::now()).await.unwrap());
        }
    });
    let mut deleted = 0;
    while !uploading.is_finished() {
        deleted += sweeps.sweep_modules(Duration::ZERO).await.unwrap().deleted;
    }
    uploading.await.unwrap();
    assert!(deleted > 0, "they were never at it at once");
}

async fn process(database: &Database, server: &S3Server, folder: &TempDir, name: &str) -> Arc<Core> {
    let config = Config::new(folder.path().join(name), "http://localhost:3001".parse().unwrap());
    let config = Config { settings_key_file: folder.path().join("settings-key"), ..config };
    Core::new(database.open().await.unwrap(), Arc::new(bucket(server)), config).await.unwrap()
}

async fn upload(core: &Core, owner: UserId, name: &HandlerName, module: Bytes) {
    let invoker: Arc<dyn Invoker> = Arc::new(FakeInvoker::default());
    let target = Target::New {
        name: name.clone(),
        forward_authorization: false,
        policy: Policy::default(),
        env: EnvPatch::default(),
    };
    core.deploy(&invoker, owner, target, module).await.unwrap();
}
