//! Real servers for tests, each started by the test that needs it and gone with it: PostgreSQL from the installed
//! programs, an S3 server that can be made to fail, a DNS server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod browser;
pub mod dns;
pub mod oidc;
pub mod postgres;
pub mod s3;

pub use postgres::Cluster;
