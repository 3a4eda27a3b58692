//! The data plane: runs modules, each request in a fresh instance.
//!
//! An [`Executor`] is a value that can be made many times in one process. It answers handlers' own
//! traffic ([`Executor::serve_edge`]) and the control plane's calls (it is an
//! [`Invoker`](wasmcloud_wire::Invoker), and [`Executor::serve_internal`] offers the same over
//! HTTPS). What it needs to know it asks of a [`ControlPlane`](wasmcloud_wire::ControlPlane): one in
//! the same process, or a [`RemoteControlPlane`]. [`local`] runs a module without any server.

mod admission;
mod alone;
#[doc(hidden)]
pub mod bench;
mod edge;
mod ending;
mod engine;
mod executor;
mod guest;
mod hosts;
mod internal;
mod invocation;
pub mod local;
mod long_runs;
mod olin;
mod outcome;
mod program;
mod programs;
mod quota;
mod raise;
mod receipt;
mod recorder;
mod recording;
mod remote;
mod reporter;
mod routes;
mod suspension;
mod usage;
mod wasi;

pub use alone::alone;
pub use edge::Edge;
pub use executor::{Executor, ExecutorError, Settings};
pub use programs::{COMPILE_COMMAND, CompileBudget, Compiler, compile_child};
pub use remote::{RemoteControlPlane, RemoteError};
pub use wasmcloud_egress as egress;
