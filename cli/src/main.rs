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
mod platform;
mod prompt;
mod server;
mod session;
mod since;
mod sse;
mod text;
mod transport;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The one crypto provider of every TLS connection; only a second installation could fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::main().into()
}
