//! `wasmcloud`: the one binary. It parses the command line, dispatches, and says how it went.

mod cli;
mod client;
mod commands;
mod config;
mod exit;
mod failure;
mod lines;
mod module_file;
mod names;
mod output;
mod prompt;
mod server;
mod session;
mod since;
mod sse;
mod text;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main().into()
}
