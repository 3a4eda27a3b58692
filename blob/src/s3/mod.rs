//! Bytes in a bucket of S3, or of a store that speaks like it: `prefix/ab/cd/abcd…`, one object a module, the
//! same names as in a folder, so that either can be copied to the other.
//!
//! Every request has a bounded number of attempts with a random wait between them, and every verb a bounded time
//! ([`S3Patience`]). Bytes are hashed before they are sent and after they have come: what the store or the way
//! to it has damaged is never returned. A store is believed nothing: no more of an object is read than a module can
//! have, and no list goes on without end.

mod client;
mod config;
mod failure;
mod list;
mod multipart;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::{Bytes, BytesMut};
use wasmcloud_wire::Digest;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

use crate::{BlobError, Blobs, Stored};

pub use config::{S3Config, S3Key, S3Location, S3LocationError, S3Patience};
pub use multipart::{MULTIPART_ABOVE_BYTES, PART_BYTES};

/// How often an object is read whose body does not arrive whole, or has another digest.
const READS_MAX: u32 = 3;
/// Largest object that is read, in bytes: no module is larger.
const BYTES_MAX: i64 = UPLOAD_BYTES_MAX as i64;

/// Bytes in a bucket.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    location: S3Location,
    endpoint: Option<String>,
    patience: S3Patience,
}

/// Why one reading of an object was in vain.
enum Unread {
    /// Another may succeed.
    Again(BlobError),
    /// None will.
    Never(BlobError),
}

impl S3Blobs {
    /// Makes a client of a bucket. Nothing is asked of the bucket yet: [`Blobs::check`] does.
    pub fn new(config: &S3Config) -> Result<S3Blobs, BlobError> {
        Ok(S3Blobs {
            client: client::client(config)?,
            location: config.location.clone(),
            endpoint: config.endpoint.clone(),
            patience: config.patience,
        })
    }

    /// The bucket as people know it.
    fn storage(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.location),
            None => self.location.to_string(),
        }
    }

    fn key(&self, digest: &Digest) -> String {
        let name = digest.to_string();
        let (first, second) = (name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default());
        format!("{}{first}/{second}/{name}", self.location.prefix)
    }

    /// The digest that a key stands for, if it is one of ours.
    fn digest(&self, key: &str) -> Option<Digest> {
        let digest: Digest = key.rsplit('/').next()?.parse().ok()?;
        (self.key(&digest) == key).then_some(digest)
    }

    /// A verb in the time that it may take.
    async fn in_time<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = Result<T, BlobError>> + Send,
    ) -> Result<T, BlobError> {
        match tokio::time::timeout(self.patience.verb, work).await {
            Ok(done) => done,
            Err(_) => Err(self.too_slow(action)),
        }
    }

    async fn put_whole(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let request = self.client.put_object().bucket(&self.location.bucket).key(key);
        let put = request.content_type("application/wasm").body(ByteStream::from(bytes)).send().await;
        put.map(drop).map_err(|error| self.failed("write", error))
    }

    /// Reads an object once.
    async fn read(&self, digest: &Digest) -> Result<Option<Bytes>, Unread> {
        let request = self.client.get_object().bucket(&self.location.bucket).key(self.key(digest));
        let mut object = match request.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(answer)) if answer.err().is_no_such_key() => return Ok(None),
            // Stores that do not say what is missing.
            Err(SdkError::ServiceError(answer))
                if answer.raw().status().as_u16() == 404 && answer.err().code() != Some("NoSuchBucket") =>
            {
                return Ok(None);
            }
            Err(error) => return Err(Unread::Never(self.failed("read", error))),
        };
        let oversized = || Unread::Never(BlobError::Oversized { digest: *digest, storage: self.storage() });
        if object.content_length().is_some_and(|told| told > BYTES_MAX) {
            return Err(oversized());
        }
        let mut bytes = BytesMut::new();
        while let Some(chunk) = object.body.next().await {
            let chunk = chunk.map_err(|error| {
                let reason = format!("the answer broke off: {error}");
                Unread::Again(BlobError::Unavailable { storage: self.storage(), action: "read", reason })
            })?;
            if bytes.len() + chunk.len() > UPLOAD_BYTES_MAX {
                return Err(oversized());
            }
            bytes.extend_from_slice(&chunk);
        }
        let bytes = bytes.freeze();
        let (bytes, actual) = hashed(bytes).await.map_err(Unread::Never)?;
        if actual == *digest {
            return Ok(Some(bytes));
        }
        Err(Unread::Again(BlobError::Corrupt { digest: *digest, actual }))
    }

    /// Reads an object until it arrives whole.
    async fn read_whole(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        let mut reads = 0;
        loop {
            reads += 1;
            match self.read(digest).await {
                Ok(found) => return Ok(found),
                Err(Unread::Again(error)) if reads < READS_MAX => {
                    tracing::warn!(module.digest = %digest, %error, "a module did not arrive whole; reading it again");
                }
                Err(Unread::Again(error) | Unread::Never(error)) => {
                    if matches!(error, BlobError::Corrupt { .. } | BlobError::Oversized { .. }) {
                        let storage = self.storage();
                        tracing::error!(module.digest = %digest, %error, storage, "a stored module is damaged");
                    }
                    return Err(error);
                }
            }
        }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<(), BlobError> {
        let (bytes, actual) = hashed(bytes).await?;
        if actual != *digest {
            return Err(BlobError::Mismatch { expected: *digest, actual });
        }
        let key = self.key(digest);
        if bytes.len() > MULTIPART_ABOVE_BYTES {
            return self.put_in_parts(&key, bytes).await;
        }
        self.in_time("write", self.put_whole(&key, bytes)).await
    }

    async fn get(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        self.in_time("read", self.read_whole(digest)).await
    }

    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let request = self.client.delete_object().bucket(&self.location.bucket).key(self.key(digest));
        match request.send().await {
            Ok(_) => Ok(()),
            // Amazon's own says nothing of it; others do.
            Err(SdkError::ServiceError(answer)) if answer.err().code() == Some("NoSuchKey") => Ok(()),
            Err(error) => Err(self.failed("delete", error)),
        }
    }

    async fn list(&self) -> Result<Vec<Stored>, BlobError> {
        self.list_objects().await
    }

    async fn check(&self) -> Result<(), BlobError> {
        let checked = self.client.head_bucket().bucket(&self.location.bucket).send().await;
        checked.map(drop).map_err(|error| self.failed("look at", error))
    }

    async fn abort_unfinished(&self, older_than: Duration) -> Result<u64, BlobError> {
        self.abort_uploads(older_than).await
    }
}

/// How long ago that was, by the wall clock.
fn age(at: Option<&DateTime>) -> Duration {
    let at = at.and_then(|at| SystemTime::try_from(*at).ok());
    at.and_then(|at| SystemTime::now().duration_since(at).ok()).unwrap_or_default()
}

/// Bytes with their digest, hashed where it holds up nobody.
async fn hashed(bytes: Bytes) -> Result<(Bytes, Digest), BlobError> {
    let hashing = tokio::task::spawn_blocking(move || {
        let digest = Digest::of(&bytes);
        (bytes, digest)
    });
    hashing.await.map_err(|error| BlobError::Unsuitable(format!("cannot hash: {error}")))
}
