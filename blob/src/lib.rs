//! Module bytes by their sha256 digest.
//!
//! [`Blobs`] is the seam; [`FsBlobs`] keeps the bytes in a folder, [`S3Blobs`] in a bucket. Whatever keeps them,
//! bytes go in and come out only if they have the digest that they are asked for by.

mod error;
mod fs;
mod s3;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_wire::Digest;

pub use error::BlobError;
pub use fs::FsBlobs;
pub use s3::{
    MULTIPART_ABOVE_BYTES, PART_BYTES, S3Blobs, S3Config, S3Key, S3Location, S3LocationError, S3Patience,
};

/// Where modules are kept.
///
/// What [`Blobs::put`] has acknowledged survives a crash and a power failure. An object appears
/// whole or not at all.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps bytes under their digest; `Mismatch` if they have another.
    ///
    /// Keeping the same bytes again is no error. It mends a damaged object, and it makes the object
    /// young again, so that a sweeper leaves alone what is just being deployed.
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<(), BlobError>;

    /// The bytes with this digest; `None` if they are not kept here. Bytes that no longer have it are
    /// `Corrupt`, logged, and never returned.
    async fn get(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError>;

    /// Forgets these bytes. No error if they are not kept here.
    async fn delete(&self, digest: &Digest) -> Result<(), BlobError>;

    /// Everything that is kept here, in no order.
    async fn list(&self) -> Result<Vec<Stored>, BlobError>;

    /// Whether bytes could be kept right now, as far as that can be known without keeping any.
    async fn check(&self) -> Result<(), BlobError>;

    /// Forgets what puts have begun longer ago than `older_than` and never ended, where that takes room; how
    /// many they were, a bounded number at once. A folder has none: what a crash left there goes at the next open.
    async fn abort_unfinished(&self, _older_than: Duration) -> Result<u64, BlobError> {
        Ok(0)
    }
}

/// An object that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub size_bytes: u64,
    /// How long ago it was last put, by the wall clock; zero where the clock went back.
    pub age: Duration,
}
