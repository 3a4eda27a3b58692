//! What is written about the ABI, against the table of imports: the examples in the text format, and the page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod docs;
mod examples;
