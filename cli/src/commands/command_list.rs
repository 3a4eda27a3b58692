//! `wasmcloud commands`

use clap::{Command, CommandFactory};
use serde_json::json;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::session::Session;

/// Prints every command with what it does, one a line.
pub fn run(session: &Session) -> Result<(), Failure> {
    let commands = all(&Cli::command());
    if session.output.json {
        let list: Vec<_> =
            commands.iter().map(|(name, about)| json!({ "command": name, "about": about })).collect();
        return session.output.document(&list);
    }
    let width = commands.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, about) in commands {
        session.output.line(&format!("{name:<width$}  {about}"))?;
    }
    Ok(())
}

/// The commands and theirs, in the order of the help.
fn all(command: &Command) -> Vec<(String, String)> {
    let mut list = Vec::new();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        list.push((sub.get_name().to_owned(), about));
        list.extend(all(sub).into_iter().map(|(name, about)| (format!("{} {name}", sub.get_name()), about)));
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_listed_with_what_it_does() {
        let commands = all(&Cli::command());
        for name in ["login", "create", "logs", "tokens", "tokens create", "namegen", "version"] {
            assert!(commands.iter().any(|(listed, _)| listed == name), "{name}");
        }
        for (name, about) in commands {
            assert!(!about.is_empty(), "{name} says nothing of itself");
        }
    }
}
