//! A store that answers more than it was asked for, or without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wasmcloud_blob::{BlobError, Blobs as _, S3Blobs, S3Config, S3Key, S3Patience};
use wasmcloud_wire::Digest;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

/// Longer than anything here should take, so that time alone ends nothing.
const PATIENCE: Duration = Duration::from_secs(120);
/// What fits between two ends of a connection, at the very most.
const ON_THE_WAY: usize = 16 << 20;
/// More than a store has pages for.
const PAGES: usize = 5_000;

/// What the store answers to every request.
#[derive(Clone, Copy)]
enum Answer {
    /// Bytes, as many as are taken; the length that it tells of, if any.
    Bytes(Option<u64>),
    /// A page of objects or of uploads, which says that it goes on: always at the same place, or always at another.
    Page { same: bool, of_uploads: bool },
}

/// A store on loopback; it ends with the test.
struct Liar {
    blobs: S3Blobs,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Liar {
    async fn start(answer: Answer) -> Liar {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (requests, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&requests), Arc::clone(&sent));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, answer, counts.clone()));
            }
        });
        let key = S3Key { id: "id".to_owned(), secret: "secret".to_owned() };
        let config = S3Config {
            endpoint: Some(endpoint),
            patience: S3Patience { answer: PATIENCE, verb: PATIENCE, ..S3Patience::default() },
            ..S3Config::new("s3://bucket/modules".parse().unwrap(), key)
        };
        Liar { blobs: S3Blobs::new(&config).unwrap(), requests, sent }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Answers requests without bodies until the other end has enough.
async fn converse(
    mut stream: TcpStream,
    answer: Answer,
    (requests, sent): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) -> Option<()> {
    let mut head = Vec::new();
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        head.clear();
        let number = requests.fetch_add(1, Ordering::SeqCst);
        match answer {
            Answer::Bytes(told) => {
                let length = told.map(|told| format!("content-length: {told}\r\n")).unwrap_or_default();
                let head = format!("HTTP/1.1 200 OK\r\n{length}connection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await.ok()?;
                loop {
                    sent.fetch_add(stream.write(&[7; 64 << 10]).await.ok()?, Ordering::SeqCst);
                }
            }
            Answer::Page { same, of_uploads } => {
                let more = number < PAGES;
                let place = if same { 1 } else { number };
                let name = if of_uploads { "ListMultipartUploadsResult" } else { "ListBucketResult" };
                let place = match of_uploads {
                    true => format!(
                        "<NextKeyMarker>key-{place}</NextKeyMarker><NextUploadIdMarker>id</NextUploadIdMarker>"
                    ),
                    false => format!("<NextContinuationToken>place-{place}</NextContinuationToken>"),
                };
                let page = format!("<{name}><IsTruncated>{more}</IsTruncated>{place}</{name}>");
                let length = page.len();
                let text = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\r\n{page}"
                );
                stream.write_all(text.as_bytes()).await.ok()?;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_object_no_more_is_read_than_a_module_can_have() {
    for told in [None, Some(1 << 40), Some(UPLOAD_BYTES_MAX as u64 + 1)] {
        let liar = Liar::start(Answer::Bytes(told)).await;
        let digest = Digest::of(b"module");
        let error = liar.blobs.get(&digest).await.unwrap_err();
        assert!(matches!(error, BlobError::Oversized { .. }), "{told:?}: {error:?}");
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
        assert_eq!(liar.requests(), 1, "{told:?}: nor is it tried again");
        let most = if told.is_some() { ON_THE_WAY } else { UPLOAD_BYTES_MAX + ON_THE_WAY };
        let sent = liar.sent.load(Ordering::SeqCst);
        assert!(sent <= most, "{told:?}: {sent} bytes were taken");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_an_end_is_given_up() {
    for (same, of_uploads, words, most) in [
        (true, false, "goes on where it was before", 2),
        (false, false, "more than 1000 pages", 1_000),
        (true, true, "goes on where it was before", 2),
        (false, true, "more than 100 pages", 100),
    ] {
        let liar = Liar::start(Answer::Page { same, of_uploads }).await;
        let listed = match of_uploads {
            true => liar.blobs.abort_unfinished(Duration::ZERO).await.map(drop),
            false => liar.blobs.list().await.map(drop),
        };
        let error = listed.unwrap_err();
        assert!(matches!(error, BlobError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains(words) && error.to_string().contains("--storage"), "{error}");
        assert_eq!(liar.requests(), most, "{words}");
    }
}
