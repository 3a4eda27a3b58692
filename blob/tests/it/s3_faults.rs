//! A bucket whose storage is down, slow, failing, lying or closed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmcloud_blob::{BlobError, Blobs as _, S3Blobs, S3Config};
use wasmcloud_testkit::s3::{Fault, S3Server};
use wasmcloud_wire::Digest;

use crate::place::config;

const MODULE: Bytes = Bytes::from_static(b"\0asm\x01\0\0\0");
/// How long an impatient client waits for a verb.
const VERB: Duration = Duration::from_secs(1);
/// Longer than that, by much.
const GIVES_UP_WITHIN: Duration = Duration::from_secs(20);

fn open(server: &S3Server) -> S3Blobs {
    S3Blobs::new(&config(server, "modules")).unwrap()
}

/// A bucket with one module.
async fn with_module() -> (S3Server, S3Blobs, Digest) {
    let server = S3Server::start();
    let (blobs, digest) = (open(&server), Digest::of(&MODULE));
    blobs.put(&digest, MODULE).await.unwrap();
    (server, blobs, digest)
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_that_is_down_or_silent_is_given_up_soon_and_used_again_when_it_is_back() {
    let (server, blobs, digest) = with_module().await;
    for fault in [Fault::Down, Fault::Silent, Fault::Errors { status: 503, requests: u32::MAX }] {
        server.fail(fault);
        let mut impatient = config(&server, "modules");
        (impatient.patience.answer, impatient.patience.verb) = (VERB / 2, VERB);
        let impatient = S3Blobs::new(&impatient).unwrap();
        let began = Instant::now();
        for result in [
            impatient.put(&digest, MODULE).await,
            impatient.get(&digest).await.map(drop),
            impatient.list().await.map(drop),
            impatient.delete(&digest).await,
            impatient.check().await,
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, BlobError::Unavailable { .. }), "{fault:?}: {error:?}");
            assert!(error.to_string().contains(server.endpoint()), "{error}");
        }
        assert!(began.elapsed() < 5 * GIVES_UP_WITHIN);
        server.heal();
        assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE), "{fault:?}");
        blobs.check().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_storage_is_waited_for() {
    let (server, blobs, digest) = with_module().await;
    server.fail(Fault::Slow(Duration::from_millis(200)));
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_now_and_then_is_tried_again() {
    let (server, blobs, digest) = with_module().await;
    for status in [500, 502, 503] {
        server.fail(Fault::Errors { status, requests: 2 });
        blobs.put(&digest, MODULE).await.unwrap();
        server.fail(Fault::Errors { status, requests: 2 });
        assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_has_a_bounded_number_of_attempts() {
    let (server, blobs, digest) = with_module().await;
    server.fail(Fault::Errors { status: 500, requests: u32::MAX });
    let before = server.requests();
    blobs.put(&digest, MODULE).await.unwrap_err();
    assert_eq!(server.requests() - before, config(&server, "").patience.attempts_max as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_never_returned() {
    let (server, blobs, digest) = with_module().await;
    server.fail(Fault::Truncated);
    let error = blobs.get(&digest).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable { .. }), "{error:?}");
    server.heal();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_never_returned() {
    let (server, blobs, digest) = with_module().await;
    server.fail(Fault::WrongBytes);
    let error = blobs.get(&digest).await.unwrap_err();
    assert!(matches!(error, BlobError::Corrupt { .. }), "{error:?}");
    server.heal();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_and_a_missing_bucket_say_what_to_do_and_are_not_tried_again() {
    let (server, blobs, digest) = with_module().await;
    for (fault, advice) in [(Fault::Denied, "Check the key"), (Fault::NoBucket, "there is no bucket")] {
        server.fail(fault);
        for result in
            [blobs.check().await, blobs.put(&digest, MODULE).await, blobs.get(&digest).await.map(drop)]
        {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(advice) && error.contains("wasmcloud-test"), "{error}");
        }
    }
    let before = server.requests();
    blobs.check().await.unwrap_err();
    assert_eq!(server.requests() - before, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_refused_and_not_shown() {
    let (server, _blobs, digest) = with_module().await;
    let mut wrong: S3Config = config(&server, "modules");
    wrong.key.secret = "another-secret".to_owned();
    let blobs = S3Blobs::new(&wrong).unwrap();
    let error = blobs.get(&digest).await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error:?}");
    let shown = format!("{error} {error:?} {blobs:?}");
    assert!(!shown.contains("another-secret"), "{shown}");
}
