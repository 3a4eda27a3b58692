//! The way out as programs and servers see it, over loopback, which the tests open by configuration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod connections;
mod harness;
mod limits;
mod redirects;
mod refusals;
mod requests;
mod tls;
