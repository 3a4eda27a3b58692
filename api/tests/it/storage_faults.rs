//! Storage that is down, slow, full, closed or damaged: what is deployed goes on, uploads say so in bounded time, and
//! wrong bytes go to nobody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmcloud_blob::{S3Blobs, S3Config, S3Key, S3Patience};
use wasmcloud_testkit::s3::{Fault, S3Server};
use wasmcloud_wire::{ControlPlane as _, Digest};

use crate::app::{Client, Prepares, TestApp, module};

/// Longer than any verb of the storage may take here (2 s), by much.
const BOUNDED: Duration = Duration::from_secs(20);

/// A bucket whose client gives up soon.
pub fn bucket(server: &S3Server) -> S3Blobs {
    let key = S3Key { id: server.access_key().to_owned(), secret: server.secret_key().to_owned() };
    let config = S3Config {
        endpoint: Some(server.endpoint().to_owned()),
        patience: S3Patience {
            answer: Duration::from_secs(1),
            verb: Duration::from_secs(2),
            backoff: Duration::from_millis(10),
            ..S3Patience::default()
        },
        ..S3Config::new(server.url("modules").parse().unwrap(), key)
    };
    S3Blobs::new(&config).unwrap()
}

/// A control plane over a bucket, with a user who has a handler.
async fn with_handler() -> (S3Server, TestApp, Client) {
    let server = S3Server::start();
    let app = TestApp::start_on(Arc::new(bucket(&server))).await;
    let alice = app.user("alice").await;
    alice.has_handler("hello").await;
    (server, app, alice)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_storage_fails_uploads_are_503_in_bounded_time_and_everything_else_goes_on() {
    let (server, app, alice) = with_handler().await;
    for fault in [
        Fault::Down,
        Fault::Silent,
        Fault::Errors { status: 503, requests: u32::MAX },
        Fault::Denied,
        Fault::NoBucket,
    ] {
        server.fail(fault);
        let began = Instant::now();
        let refused = alice.update("hello", module("second")).await;
        assert!(began.elapsed() < BOUNDED, "{fault:?}");
        let message = refused.error(503, "storage_unavailable");
        assert!(message.contains("storage does not answer"), "{fault:?}: {message}");
        assert!(refused.header("retry-after").is_some());
        assert!(!refused.text().contains(server.endpoint()), "causes are for the log: {}", refused.text());
        alice.create("another", module("second")).await.error(503, "storage_unavailable");

        let row: serde_json::Value = alice.get("/api/v1/handlers/hello").await.good(200);
        assert_eq!(row["live"], 1, "{fault:?}");
        let invoked = alice.post("/api/v1/handlers/hello/invoke", serde_json::json!({})).await;
        assert_eq!(invoked.status, 200, "{fault:?}");
        assert_eq!(app.anonymous().get("/readyz").await.status, 503, "{fault:?}");
        alice.get("/api/v1/handlers/another").await.error(404, "handler_not_found");
    }
    server.heal();
    let deployed: serde_json::Value = alice.update("hello", module("second")).await.good(201);
    assert_eq!(deployed["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_storage_makes_uploads_slow_and_no_more() {
    let (server, _app, alice) = with_handler().await;
    server.fail(Fault::Slow(Duration::from_millis(300)));
    let _: serde_json::Value = alice.update("hello", module("second")).await.good(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_storage_is_507_for_uploads_and_read_all_the_same() {
    let (server, app, alice) = with_handler().await;
    server.fail(Fault::Full);
    alice.update("hello", module("second")).await.error(507, "storage_full");
    let digest = Digest::of(&module("hello"));
    assert_eq!(app.core.module(&digest).await.unwrap(), Some(module("hello")));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_with_a_wrong_digest_go_to_no_executor() {
    let (server, app, _alice) = with_handler().await;
    let digest = Digest::of(&module("hello"));
    for fault in [Fault::WrongBytes, Fault::Truncated] {
        server.fail(fault);
        app.core.module(&digest).await.unwrap_err();
        server.heal();
        assert_eq!(app.core.module(&digest).await.unwrap(), Some(module("hello")), "{fault:?}");
    }
    let object = server.objects_folder().join(&server.objects()[0]);
    std::fs::write(object, module("of somebody else")).unwrap();
    app.core.module(&digest).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_late_leaves_nothing_in_the_bucket() {
    let (server, app, alice) = with_handler().await;
    let second = module("second");
    app.invoker.at_prepare(&second, Prepares::Failing("no executor".to_owned()));
    alice.update("hello", second.clone()).await.error(503, "executor_unavailable");
    assert_eq!(server.objects().len(), 1);
    // Nothing of it is in the way of the next attempt.
    let _: serde_json::Value = alice.update("hello", second).await.good(201);
    assert_eq!(server.objects().len(), 2);
}
