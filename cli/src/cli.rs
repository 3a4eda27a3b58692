//! The command line: what can be written, and which command does it.

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::commands::{
    audit, command_list, completions, create, delete, env, executors, flags, host, inspect, invite,
    invocations, invoke, list, login, logout, logs, namegen, password, plan, policy, promote, quota,
    register, replay, rollback, route, run as run_command, set, show, stats, teams, tokens, transfer, update,
    users, version, versions, whoami,
};
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::output::Output;
use crate::platform::{api, executor, export, import, migrate, serve};
use crate::session::{GlobalArgs, Session};

/// Functions as a service for WebAssembly: one binary, server and command line.
#[derive(Debug, Parser)]
#[command(
    name = "wasmcloud",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = exit::help(),
    propagate_version = false
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Server(ServerCommand),
    #[command(flatten)]
    Client(ClientCommand),
}

/// What an operator starts.
#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Run the whole platform: API and edge in one process
    Serve(Box<serve::Args>),
    /// Run the control plane alone
    Api(Box<api::Args>),
    /// Run the data plane alone
    Executor(Box<executor::Args>),
    /// Bring the database up to date, and start nothing
    Migrate(migrate::Args),
    /// Write a whole installation to one file, sealed with a passphrase; a server may be using it
    Export(Box<export::Args>),
    /// Put what `export` wrote where there is no installation yet
    Import(Box<import::Args>),
}

/// What a user does.
#[derive(Debug, Subcommand)]
enum ClientCommand {
    /// Run a program in production's environment, without a server
    Run(Box<run_command::Args>),
    /// Log in, and keep the token in the settings file
    Login(login::Args),
    /// Make a user on a server that allows it, and log in
    Register(register::Args),
    /// Revoke the token and forget it
    Logout,
    /// Show who is logged in, and where
    Whoami,
    /// Change your password
    Password(password::Args),
    /// Make a handler of a WebAssembly program and print its address
    Create(create::Args),
    /// List your handlers, and those of your teams
    List(list::Args),
    /// Show a handler and its versions
    Show(show::Args),
    /// Upload a handler's next version, and make it live
    Update(update::Args),
    /// Make another version of a handler live, or let it answer a part of the clients
    Promote(promote::Args),
    /// Go back to the version that was live before
    Rollback(rollback::Args),
    /// List a handler's versions, or delete some of them
    Versions(versions::Args),
    /// Change a handler's settings
    Set(set::Args),
    /// Set, remove and list a handler's own settings
    #[command(subcommand)]
    Env(env::Command),
    /// Show and change what a handler may open and use
    #[command(subcommand)]
    Policy(policy::Command),
    /// Add hosts of your own, and show that they are yours
    #[command(subcommand)]
    Host(host::Command),
    /// Route hosts of your own, and paths below them, to handlers
    #[command(subcommand)]
    Route(route::Command),
    /// Delete handlers
    Delete(delete::Args),
    /// Run a handler once: its answer on standard output, log and receipt on standard error
    Invoke(invoke::Args),
    /// Show a handler's log
    Logs(logs::Args),
    /// List a handler's invocations, or show one of them
    Invocations(invocations::Args),
    /// Show how a handler did over the last hour, day or week
    Stats(stats::Args),
    /// Run a recorded invocation again, and say whether its answer is the same
    Replay(replay::Args),
    /// Show what you have used of your quotas
    Quota(quota::Args),
    /// List plans and ask for one; make, give and decide them (operators only)
    #[command(subcommand)]
    Plan(plan::Command),
    /// List, make and revoke your tokens
    #[command(subcommand)]
    Tokens(tokens::Command),
    /// Make teams that own handlers, and say who belongs to them
    #[command(subcommand)]
    Teams(teams::Command),
    /// Give a handler to a team, or a team's to yourself
    Transfer(transfer::Args),
    /// Make an invitation that one new user may register with; list them, take them back (operators only)
    Invite(invite::Args),
    /// List users and teams; reset passwords, suspend, make operators (operators only)
    #[command(subcommand)]
    Users(users::Command),
    /// Show who changed what, or write it to a file
    Audit(audit::Args),
    /// List the executors with health, version and load (operators only)
    Executors,
    /// Say what a WebAssembly file is, what it asks for, and whether it can run; needs no server
    Inspect(inspect::Args),
    /// Make names for handlers
    Namegen(namegen::Args),
    /// Print a shell's completion script
    Completions(completions::Args),
    /// List all commands
    Commands,
    /// List the global flags, the environment variables and the exit codes
    Flags,
    /// Print the version
    Version,
}

/// Parses, runs, tells what is wrong, and says how the process ends.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let session = Session::new(cli.global);
    let result = match run(&session, cli.command) {
        Ok(()) => return Exit::Ok,
        Err(failure) => failure,
    };
    if let Failure::Problem(problem) = &result {
        session.output.problem(problem);
    }
    result.exit()
}

/// Help and version are results; anything else is a mistake on the command line.
fn usage(error: &clap::Error) -> Exit {
    let as_json = std::env::args_os().any(|argument| argument == "--json");
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away early has seen enough.
            let _ = error.print();
            Exit::Ok
        }
        _ if as_json => {
            let text = error.render().to_string();
            // The hint says the same.
            let text = text.split("\n\nFor more information").next().unwrap_or(&text).trim();
            let message = text.strip_prefix("error: ").unwrap_or(text);
            if let Failure::Problem(problem) = Failure::usage(message, "see `wasmcloud help`") {
                Output::new(true).problem(&problem);
            }
            Exit::Usage
        }
        _ => {
            let _ = error.print();
            Exit::Usage
        }
    }
}

fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        // Servers have a runtime, and manners about signals, of their own.
        Command::Server(ServerCommand::Serve(args)) => serve::run(session, *args),
        Command::Server(ServerCommand::Api(args)) => api::run(session, *args),
        Command::Server(ServerCommand::Executor(args)) => executor::run(session, *args),
        Command::Server(ServerCommand::Migrate(args)) => migrate::run(session, args),
        Command::Server(ServerCommand::Export(args)) => export::run(session, *args),
        Command::Server(ServerCommand::Import(args)) => import::run(session, *args),
        Command::Client(command) => run_client(session, command),
    }
}

fn run_client(session: &Session, command: ClientCommand) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Failure, "system", format!("cannot start: {error}"), "close other programs")
    })?;
    let result = runtime.block_on(async {
        tokio::select! {
            // First, so that the signal is caught before a command turns the terminal's echo off.
            biased;
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) => Err(Failure::Interrupted),
                Err(error) => Err(Failure::new(Exit::Failure, "system", format!("no signals: {error}"), "")),
            },
            result = dispatch(session, command) => result,
        }
    });
    // A thread that still waits for standard input must not keep the process.
    runtime.shutdown_background();
    result
}

async fn dispatch(session: &Session, command: ClientCommand) -> Result<(), Failure> {
    match command {
        ClientCommand::Run(args) => run_command::run(session, *args).await,
        ClientCommand::Login(args) => login::run(session, args).await,
        ClientCommand::Register(args) => register::run(session, args).await,
        ClientCommand::Logout => logout::run(session).await,
        ClientCommand::Whoami => whoami::run(session).await,
        ClientCommand::Password(args) => password::run(session, args).await,
        ClientCommand::Create(args) => create::run(session, args).await,
        ClientCommand::List(args) => list::run(session, &args).await,
        ClientCommand::Show(args) => show::run(session, &args).await,
        ClientCommand::Update(args) => update::run(session, &args).await,
        ClientCommand::Promote(args) => promote::run(session, &args).await,
        ClientCommand::Rollback(args) => rollback::run(session, &args).await,
        ClientCommand::Quota(args) => quota::run(session, &args).await,
        ClientCommand::Plan(command) => plan::run(session, command).await,
        ClientCommand::Versions(args) => versions::run(session, &args).await,
        ClientCommand::Set(args) => set::run(session, &args).await,
        ClientCommand::Env(command) => env::run(session, command).await,
        ClientCommand::Policy(command) => policy::run(session, command).await,
        ClientCommand::Host(command) => host::run(session, command).await,
        ClientCommand::Route(command) => route::run(session, command).await,
        ClientCommand::Delete(args) => delete::run(session, &args).await,
        ClientCommand::Invoke(args) => invoke::run(session, args).await,
        ClientCommand::Logs(args) => logs::run(session, &args).await,
        ClientCommand::Invocations(args) => invocations::run(session, &args).await,
        ClientCommand::Stats(args) => stats::run(session, &args).await,
        ClientCommand::Replay(args) => replay::run(session, args).await,
        ClientCommand::Tokens(command) => tokens::run(session, command).await,
        ClientCommand::Teams(command) => teams::run(session, command).await,
        ClientCommand::Transfer(args) => transfer::run(session, args).await,
        ClientCommand::Invite(args) => invite::run(session, args).await,
        ClientCommand::Users(command) => users::run(session, command).await,
        ClientCommand::Audit(args) => audit::run(session, &args).await,
        ClientCommand::Executors => executors::run(session).await,
        ClientCommand::Inspect(args) => inspect::run(session, &args),
        ClientCommand::Namegen(args) => namegen::run(session, &args),
        ClientCommand::Completions(args) => completions::run(session, &args),
        ClientCommand::Commands => command_list::run(session),
        ClientCommand::Flags => flags::run(session),
        ClientCommand::Version => version::run(session),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn no_flag_takes_a_password() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                assert_ne!(argument.get_long(), Some("password"), "{}", command.get_name());
            }
        }
    }
}
