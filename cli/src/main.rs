//! `wasmcloud`: the one binary. It parses the command line, dispatches, and says how it went.

#![allow(
    rustdoc::bare_urls,
    reason = "comments on arguments are the text of --help, where <…> would stand as it is"
)]

mod certificate;
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
mod policy_file;
mod prompt;
mod server;
mod session;
mod setting_args;
mod shipped_files;
mod since;
mod sse;
mod text;
mod transport;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else: a compiler's process is given a budget, and nothing that it does not need.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == wasmcloud_executor::COMPILE_COMMAND) {
        return wasmcloud_executor::compile_child();
    }
    // The one crypto provider of every TLS connection; only a second installation could fail.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::main().into()
}
