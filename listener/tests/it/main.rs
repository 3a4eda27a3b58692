//! A port as its clients see it: raw bytes in, raw bytes out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod drain;
mod framing;
mod harness;
mod http;
mod http2;
mod http2_control;
mod http2_floods;
mod reload;
mod timeouts;
mod tls;
