//! The engine of the Olin family, wasmer: compiling a module, loading what was compiled, the limits of an instance.

mod bulk_cost;
mod fuse;
mod host_exports;
mod metering;
mod pool;
mod program;
#[cfg(test)]
mod spec_tests;
mod tunables;

pub(crate) use fuse::Fuse;
pub(crate) use host_exports::{MEMORY, START};
pub(crate) use pool::Pool;
pub(crate) use program::Needed;
pub(crate) use program::{OlinProgram, artifact_key, compile};
