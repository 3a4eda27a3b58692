//! `wasmcloud completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "bash: source <(wasmcloud completions bash)\nzsh:  wasmcloud completions zsh > ~/.zfunc/_wasmcloud\nfish: wasmcloud completions fish | source"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints a shell's completion script.
pub fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wasmcloud", &mut script);
    session.output.bytes(&script)
}
