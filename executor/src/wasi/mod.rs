//! The WASI family on wasmtime: core modules with WASI 0.1 and components with `wasi:cli/run`, which speak CGI,
//! and components with `wasi:http`.

mod engine;
mod explain;
mod files;
mod guest;
mod http;
mod limiter;
mod link;
mod outgoing;
mod preview1;
mod program;
mod run;
mod settings;
mod state;
mod stdio;
mod trust;
mod usage;

pub(crate) use engine::{Engines, Variant, artifact_key};
pub(crate) use http::{Incoming, streamed, whole};
pub(crate) use program::{WasiProgram, compile, files};
pub(crate) use run::{Budget, run, run_http};
pub(crate) use trust::Trust;
pub(crate) use usage::thread_cpu_ns;
