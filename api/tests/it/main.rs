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
mod audit;
mod bodies;
mod charts;
mod claims;
mod database;
mod database_faults;
mod env;
mod errors;
mod eventually;
mod executors;
mod export;
mod feed;
mod handlers;
mod hosts;
mod internal;
mod invoke;
mod logs;
mod plane;
mod policies;
mod pooler;
mod quotas;
mod recordings;
mod remote_invoker;
mod schema;
mod scopes;
mod search;
mod shutdown;
mod sign_in;
mod storage_faults;
mod store_faults;
mod store_quotas;
mod store_sign_in;
mod store_story;
mod sweep;
mod teams;
mod tenancy;
mod tokens;
mod tries;
mod uploads;
mod users;
mod versions;
