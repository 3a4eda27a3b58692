//! The control plane's promises, checked from outside of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod cluster;
mod database;
mod store_faults;
mod store_story;
