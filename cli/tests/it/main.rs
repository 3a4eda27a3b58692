//! The command line as a user meets it: the real binary, run against a server that answers by script.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod account;
mod api;
mod errors;
mod handlers;
mod local;
mod streams;
mod user;
