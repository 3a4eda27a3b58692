//! The executor as its clients and its control plane see it: real HTTP in, real modules, real records out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod allocations;
mod app;
mod client;
mod control;
mod far;
mod kinds;
mod wasm;

mod admission;
mod bodies;
mod cgi_output;
mod cgi_variables;
mod dagger;
mod every_limit;
mod gas;
mod gemini;
mod hosts;
mod http;
mod http2;
mod internal;
mod invoker;
mod limits;
mod local;
mod old_programs;
mod olin;
mod outbound_policy;
mod programs;
mod proxies;
mod quota;
mod receipts;
mod recording;
mod records;
mod remote;
mod routes;
mod routing;
mod split;
mod streams;
mod strictness;
mod suspension;
mod traps;
mod warm_routes;
mod wasi;
mod websocket;
