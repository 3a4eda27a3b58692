//! What only a bucket promises: parts, pages, prefixes, certificates.

use std::time::Duration;

use bytes::Bytes;
use wasmcloud_blob::{BlobError, Blobs as _, MULTIPART_ABOVE_BYTES, PART_BYTES, S3Blobs, S3Config};
use wasmcloud_testkit::s3::{Fault, S3Server};
use wasmcloud_wire::Digest;

use crate::place::config;

const MODULE: Bytes = Bytes::from_static(b"\0asm\x01\0\0\0");
const HOUR: Duration = Duration::from_secs(3600);
/// The most objects that one page of a list has.
const PAGE: usize = 1_000;

fn open(server: &S3Server) -> S3Blobs {
    S3Blobs::new(&config(server, "modules")).unwrap()
}

/// Bytes in which no part is like another.
fn large(len: usize) -> (Digest, Bytes) {
    let bytes: Vec<u8> = (0..len).map(|place| (place / 4096 % 251) as u8).collect();
    (Digest::of(&bytes), bytes.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_above_16_mib_goes_in_parts_and_comes_back_whole() {
    let server = S3Server::start();
    let blobs = open(&server);
    for (len, requests) in [
        (MULTIPART_ABOVE_BYTES, 1),
        // One to begin, one a part, one to end.
        (MULTIPART_ABOVE_BYTES + 1, 1 + 3 + 1),
        (MULTIPART_ABOVE_BYTES + PART_BYTES, 1 + 3 + 1),
    ] {
        let (digest, bytes) = large(len);
        let before = server.requests();
        blobs.put(&digest, bytes.clone()).await.unwrap();
        assert_eq!(server.requests() - before, requests, "{len}");
        assert_eq!(blobs.get(&digest).await.unwrap(), Some(bytes));
    }
    assert_eq!(server.objects().len(), 3);
    assert_eq!(server.unfinished_uploads(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_that_cannot_be_sent_leave_nothing_behind() {
    let server = S3Server::start();
    let blobs = open(&server);
    server.fail(Fault::FailingParts);
    let (digest, bytes) = large(MULTIPART_ABOVE_BYTES + 1);
    let error = blobs.put(&digest, bytes).await.unwrap_err();
    assert!(matches!(error, BlobError::Unavailable { .. }), "{error}");
    assert_eq!(server.objects(), Vec::<String>::new());
    assert_eq!(server.unfinished_uploads(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_a_crash_left_unfinished_are_aborted_when_they_are_old() {
    let server = S3Server::start();
    let blobs = open(&server);
    server.fail(Fault::Slow(Duration::from_millis(100)));
    let (digest, bytes) = large(MULTIPART_ABOVE_BYTES + 1);
    tokio::select! {
        done = blobs.put(&digest, bytes) => panic!("{done:?}"),
        () = async { while server.unfinished_uploads().is_empty() { tokio::task::yield_now().await; } } => {}
    }
    server.heal();
    assert_eq!(blobs.abort_unfinished(HOUR).await.unwrap(), 0);
    server.age_unfinished_uploads(2 * HOUR);
    // Another installation's prefix in the same bucket.
    let other = S3Blobs::new(&config(&server, "other")).unwrap();
    assert_eq!(other.abort_unfinished(HOUR).await.unwrap(), 0);
    assert_eq!(server.unfinished_uploads().len(), 1);

    assert_eq!(blobs.abort_unfinished(HOUR).await.unwrap(), 1);
    assert_eq!(server.unfinished_uploads(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_all_pages() {
    let server = S3Server::start();
    for number in 0..PAGE + 5 {
        let name = Digest::of(&number.to_le_bytes()).to_string();
        let folder = server.objects_folder().join("modules").join(&name[..2]).join(&name[2..4]);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), "").unwrap();
    }
    assert_eq!(open(&server).list().await.unwrap().len(), PAGE + 5);
    assert_eq!(server.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_of_one_bucket_do_not_see_each_other() {
    let server = S3Server::start();
    let digest = Digest::of(&MODULE);
    let [one, other, root] =
        ["one", "one-more", ""].map(|prefix| S3Blobs::new(&config(&server, prefix)).unwrap());
    one.put(&digest, MODULE).await.unwrap();
    for blobs in [&other, &root] {
        assert_eq!(blobs.get(&digest).await.unwrap(), None);
        assert_eq!(blobs.list().await.unwrap(), []);
        blobs.delete(&digest).await.unwrap();
    }
    assert_eq!(one.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_its_own_is_trusted_by_its_file_only() {
    let server = S3Server::start_https();
    let trusting = open(&server);
    let digest = Digest::of(&MODULE);
    trusting.put(&digest, MODULE).await.unwrap();
    assert_eq!(trusting.get(&digest).await.unwrap(), Some(MODULE));

    let other = S3Server::start_https();
    let config = S3Config { ca_pem: other.ca_pem().map(|pem| pem.into()), ..config(&server, "modules") };
    let error = S3Blobs::new(&config).unwrap().get(&digest).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_at_once() {
    let server = S3Server::start_https();
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let config = S3Config { ca_pem: Some(pem.into()), ..config(&server, "modules") };
        let error = S3Blobs::new(&config).unwrap_err();
        assert!(error.to_string().contains("--storage-ca"), "{error}");
    }
}
