//! `wasmcloud route`: from a host and a path to a handler.

use std::str::FromStr;

use serde_json::json;
use wasmcloud_wire::body::{HostState, NewRoute, Routed};
use wasmcloud_wire::{HandlerName, HostName};

use super::host::{flag, record};
use super::name_arg::name;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// What can be done with routes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Route a host, or a path below it with everything below that, to a handler
    Add {
        /// Host and path: api.example.com/v1, or api.example.com for all of it
        #[arg(value_name = "HOST[/PATH]")]
        from: HostPath,
        /// The handler
        #[arg(value_parser = |text: &str| name(text, "wasmcloud route add HOST[/PATH] NAME"))]
        name: HandlerName,
        /// Let the program see the path without this prefix, which is its SCRIPT_NAME
        #[arg(long)]
        strip_prefix: bool,
        /// The team that has both host and handler [default: you]
        #[arg(long)]
        team: Option<String>,
    },
    /// List your routes
    List {
        /// Only those of this host
        host: Option<HostName>,
        /// Those of a team [default: your own]
        #[arg(long)]
        team: Option<String>,
    },
    /// Remove a route
    Remove {
        /// Host and path, as `list` shows them
        #[arg(value_name = "HOST[/PATH]")]
        from: HostPath,
        /// The team that has it [default: you]
        #[arg(long)]
        team: Option<String>,
    },
}

/// A host and a path below it; the server says whether they can be routed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath {
    host: String,
    path: String,
}

impl FromStr for HostPath {
    type Err = String;

    fn from_str(text: &str) -> Result<HostPath, String> {
        if text.contains("://") {
            return Err("write it without http:// or https://, such as api.example.com/v1".to_owned());
        }
        let at = text.find('/').unwrap_or(text.len());
        let (host, path) = text.split_at_checked(at).unwrap_or((text, ""));
        if host.is_empty() {
            return Err("write the host before the path, such as api.example.com/v1".to_owned());
        }
        let path = if path.is_empty() { "/" } else { path };
        Ok(HostPath { host: host.to_owned(), path: path.to_owned() })
    }
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { from, name, strip_prefix, team } => {
            let HostPath { host, path } = from;
            let new = NewRoute { host, path: Some(path), handler: name.to_string(), strip_prefix };
            add(session, &new, team.as_deref()).await
        }
        Command::List { host, team } => list(session, host.as_ref(), team.as_deref()).await,
        Command::Remove { from, team } => remove(session, &from, team.as_deref()).await,
    }
}

async fn add(session: &Session, new: &NewRoute, team: Option<&str>) -> Result<(), Failure> {
    let routed = session.client()?.add_route(team, new).await?;
    if session.output.json {
        return session.output.document(&routed);
    }
    let Routed { route, host } = routed;
    session.output.note(&format!("{}{} leads to {}", route.host, route.path, route.handler));
    if host.state == HostState::Unproven {
        session.output.note("it is served once you have shown that the host is yours. Set this DNS record:");
        session.output.line(&record(&host))?;
        session.output.note(&format!("then: wasmcloud host verify {}{}", host.name, flag(team)));
    }
    Ok(())
}

async fn list(session: &Session, host: Option<&HostName>, team: Option<&str>) -> Result<(), Failure> {
    let routes = session.client()?.routes(team, host).await?;
    if session.output.json {
        return session.output.document(&routes);
    }
    if routes.is_empty() {
        session.output.note(&format!(
            "there are no routes; add one: wasmcloud route add api.example.com/v1 NAME{}",
            flag(team)
        ));
        return Ok(());
    }
    let mut table = Table::new(&["FROM", "TO", "PREFIX", "SERVED", "CREATED"]);
    for route in routes {
        let served = if route.served { "yes" } else { "no: the host is not proven" };
        table.row([
            format!("{}{}", route.host, route.path),
            route.handler.to_string(),
            if route.strip_prefix { "stripped" } else { "kept" }.to_owned(),
            served.to_owned(),
            time(route.created_at),
        ]);
    }
    session.output.table(&table)
}

async fn remove(session: &Session, from: &HostPath, team: Option<&str>) -> Result<(), Failure> {
    session.client()?.remove_route(team, &from.host, &from.path).await?;
    session.output.tell(&format!("removed {}{}", from.host, from.path));
    if session.output.json {
        session.output.document(&json!({ "removed": format!("{}{}", from.host, from.path) }))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_begins_with_its_host() {
        for (text, host, path) in [
            ("api.example.com", "api.example.com", "/"),
            ("api.example.com/", "api.example.com", "/"),
            ("api.example.com/v1/x", "api.example.com", "/v1/x"),
        ] {
            let expected = HostPath { host: host.to_owned(), path: path.to_owned() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "/v1", "https://api.example.com/v1"] {
            assert!(text.parse::<HostPath>().is_err(), "{text}");
        }
    }
}
