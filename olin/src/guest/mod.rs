//! The guest's side of the table: what a program calls.

pub mod cgi;
mod entry;
pub mod env;
pub mod io;
pub mod log;
pub mod random;
pub mod resource;
pub mod runtime;
pub mod startup;
mod sys;
pub mod time;

pub use entry::run;
