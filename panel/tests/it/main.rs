//! The panel in front of an API that answers what a test says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests may fail loudly"
)]

mod account;
mod fake;
mod forms;
mod handlers;
mod handlers_log;
mod handlers_try;
mod handlers_upload;
mod headers;
mod operator;
mod sign_in;
mod teams;
mod weight;
mod words;
