//! Olin, the Common WebAssembly ABI: a small, stable way for a WebAssembly program to speak to its host.
//!
//! [`abi`] has the ABI's numbers and its table of imports; it compiles everywhere, and a host links,
//! checks and documents from it. The other modules are the guest's side of the same table and exist on
//! `wasm32` targets only: `env`, `io`, `log`, `random`, `resource`, `runtime`, `startup`, `time`, `cgi`.
#![no_std]

pub mod abi;
