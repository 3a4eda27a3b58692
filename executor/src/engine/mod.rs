//! The wasmer engine: compiling a module, loading what was compiled, the limits of an instance.

mod artifact;
mod bulk_cost;
mod metering;
mod program;
mod programs;
mod start;
mod tunables;

pub(crate) use metering::{recharge, remaining};
pub use program::Program;
pub(crate) use programs::{ProgramError, Programs};
pub(crate) use start::START;
