//! Measurements of the run path: the executor next to engines as they come.
//!
//! `cargo bench -p wasmcloud-benches` runs them; README.md says what is compared, and what was measured.

pub mod answer;
pub mod modules;
pub mod report;
pub mod subjects;
pub mod timing;
