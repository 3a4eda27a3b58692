//! `wasmcloud flags`

use clap::{Arg, CommandFactory};
use serde_json::json;

use crate::cli::Cli;
use crate::exit::TABLE;
use crate::failure::Failure;
use crate::server;
use crate::session::Session;

/// The environment variables that the client looks at.
const ENVIRONMENT: &[(&str, &str)] = &[
    (server::ENVIRONMENT, "the server to ask, where --api-server does not say"),
    ("NO_COLOR", "if it is not empty: no colour"),
    ("SSL_CERT_FILE", "a file of CA certificates to trust in place of the system's"),
    ("HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "a proxy on the way to servers on other machines"),
];

/// Prints the global flags, the environment variables and the exit codes.
pub fn run(session: &Session) -> Result<(), Failure> {
    let output = &session.output;
    let command = Cli::command();
    let flags: Vec<(String, String)> = command.get_arguments().map(describe).collect();
    if output.json {
        let pair = |name: &str, about: &str| json!({ "name": name, "about": about });
        return output.document(&json!({
            "flags": flags.iter().map(|(name, about)| pair(name, about)).collect::<Vec<_>>(),
            "environment": ENVIRONMENT.iter().map(|(name, about)| pair(name, about)).collect::<Vec<_>>(),
            "exit_codes": TABLE.iter()
                .map(|(exit, about)| json!({ "code": exit.code(), "about": about }))
                .collect::<Vec<_>>(),
        }));
    }
    output.line("Global flags, before or after the command:")?;
    for (name, about) in &flags {
        output.line(&format!("  {name:<34}  {about}"))?;
    }
    output.line("\nEnvironment variables:")?;
    for (name, about) in ENVIRONMENT {
        output.line(&format!("  {name:<34}  {about}"))?;
    }
    output.line("\nExit codes:")?;
    for (exit, about) in TABLE {
        output.line(&format!("  {:<34}  {about}", exit.code()))?;
    }
    Ok(())
}

fn describe(flag: &Arg) -> (String, String) {
    let mut name = format!("--{}", flag.get_long().unwrap_or_default());
    if flag.get_action().takes_values()
        && let Some(value) = flag.get_value_names().and_then(|names| names.first())
    {
        name.push_str(&format!(" {value}"));
    }
    (name, flag.get_help().map(ToString::to_string).unwrap_or_default())
}
