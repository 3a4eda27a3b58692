//! The wasmer engine: compiling a module, loading what was compiled, the limits of an instance.

mod artifact;
mod bulk_cost;
mod cache;
mod compiler;
mod fuse;
mod host_exports;
mod metering;
mod pool;
mod program;
mod programs;
#[cfg(test)]
mod spec_tests;
mod tunables;

pub(crate) use cache::Lease;
pub use compiler::{COMPILE_COMMAND, CompileBudget, Compiler, compile_child};
pub(crate) use fuse::Fuse;
pub(crate) use host_exports::{MEMORY, START};
pub(crate) use program::Needed;
pub use program::Program;
pub(crate) use programs::{ProgramError, Programs};
