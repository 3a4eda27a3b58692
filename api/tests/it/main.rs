//! The control plane's promises, checked from outside of the crate.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod app;
mod bodies;
mod database;
mod env;
mod errors;
mod executors;
mod handlers;
mod internal;
mod invoke;
mod logs;
mod policies;
mod recordings;
mod remote_invoker;
mod shutdown;
mod store_faults;
mod store_story;
mod tenancy;
mod tokens;
mod uploads;
mod users;
