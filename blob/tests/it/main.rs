//! What a place for modules promises: a folder, and a bucket of a real S3 server that can be made to fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod contract;
mod fs;
mod place;
mod s3;
mod s3_endless;
mod s3_faults;
