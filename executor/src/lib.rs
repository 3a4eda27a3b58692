//! The data plane.

mod engine;
mod guest;
mod olin;
