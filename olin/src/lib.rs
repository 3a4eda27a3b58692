//! Olin, the Common WebAssembly ABI: a small, stable way for a WebAssembly program to speak to its host.
//!
//! [`abi`] has the ABI's numbers and its table of imports; it compiles everywhere, and a host links,
//! checks and documents from it. The other modules are the guest's side of the same table. They need the
//! standard library (the feature `std`, on by default) and exist on `wasm32` targets only.
//!
//! ```text
//! use std::io::Write;
//!
//! fn main() -> std::io::Result<()> {
//!     olin::log::info("somebody came");
//!     write!(olin::io::stdout(), "Content-Type: text/plain\n\nhello\n")
//! }
//!
//! olin::entry!(main);
//! ```
#![cfg_attr(not(all(target_arch = "wasm32", feature = "std")), no_std)]

pub mod abi;

#[cfg(all(target_arch = "wasm32", feature = "std"))]
mod guest;
#[cfg(all(target_arch = "wasm32", feature = "std"))]
pub use guest::{cgi, env, io, log, random, resource, run, runtime, startup, time};
