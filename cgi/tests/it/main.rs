//! The 17 items of the CGI checklist, and output that nobody would write on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod body;
mod fuzz;
mod output;
mod settings;
mod variables;
