//! Olin, the Common WebAssembly ABI: a small, stable way for a WebAssembly program to speak to its host.
//!
//! A handler is a function from a request to an answer:
//!
//! ```
//! use olin::http::{Request, RequestExt as _, Response};
//! use olin::{Body, reply};
//!
//! fn handle(request: Request<Body>) -> Response<Body> {
//!     let name = request.query("name").unwrap_or_else(|| "nobody".to_owned());
//!     reply::text(format!("Hello, {name}!\n"))
//! }
//!
//! olin::serve!(handle);
//! # fn main() {}
//! ```
//!
//! [`abi`] has the ABI's numbers and its table of imports; it compiles everywhere without any other crate,
//! and a host links, checks and documents from it. The other modules are the guest's side of the same table
//! (the feature `std`, on by default). They are for `wasm32-unknown-unknown`; on any other target they speak
//! to a double of the host in the module `testing`, so that a program's own tests run where it is written.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod abi;
pub use abi::Error;

#[cfg(feature = "std")]
mod guest;
#[cfg(feature = "json")]
pub use guest::JsonError;
#[cfg(all(feature = "std", not(target_arch = "wasm32")))]
pub use guest::testing;
#[cfg(feature = "std")]
pub use guest::{
    Body, Failure, IntoResponse, cgi, env, gemini, http, io, log, net, random, reply, resource, run, runtime,
    serve, startup, time, ws,
};

// What the pages show is compiled and run as well.
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
mod readme {}
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../../docs/SDK.md")]
mod sdk {}
#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../../README.md")]
mod project_readme {}
