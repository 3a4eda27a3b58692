//! The command line as a user meets it: the real binary, run against a server that answers by script, and against
//! the real server in both of its shapes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[macro_use]
mod platform;

mod account;
mod api;
mod errors;
mod handlers;
mod local;
mod migrate;
mod plans;
mod secrets;
mod stories;
mod streams;
mod user;
