//! `wasmcloud host`: hosts of one's own.

use serde_json::json;
use wasmcloud_wire::HostName;
use wasmcloud_wire::body::{Host, HostState, NewGrant, NewHost};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// What can be done with hosts.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a host, and print the DNS record that shows that it is yours
    Add {
        /// The host's name, such as api.example.com
        host: String,
        /// A team that it is for [default: you]
        #[arg(long)]
        team: Option<String>,
    },
    /// Have the host's DNS record looked for; its routes are served from then on
    Verify {
        /// The host
        host: HostName,
        /// A team that it is for [default: you]
        #[arg(long)]
        team: Option<String>,
    },
    /// List your hosts
    List {
        /// Those of a team [default: your own]
        #[arg(long)]
        team: Option<String>,
    },
    /// Forget a host, which must have no routes
    Remove {
        /// The host
        host: HostName,
        /// A team that it is for [default: you]
        #[arg(long)]
        team: Option<String>,
    },
    /// Let a user or a team route a host, without a DNS record (operators only)
    Grant {
        /// The host
        host: HostName,
        /// The user's name, or a team's
        user: String,
    },
    /// Take a host from whoever has proven it or was granted it (operators only)
    Revoke {
        /// The host
        host: HostName,
    },
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Add { host, team } => add(session, host, team.as_deref()).await,
        Command::Verify { host, team } => verify(session, &host, team.as_deref()).await,
        Command::List { team } => list(session, team.as_deref()).await,
        Command::Remove { host, team } => remove(session, &host, team.as_deref()).await,
        Command::Grant { host, user } => grant(session, &host, user).await,
        Command::Revoke { host } => revoke(session, &host).await,
    }
}

/// A host's DNS record, as zone files have it.
pub fn record(host: &Host) -> String {
    format!("{} TXT \"{}\"", host.record_name, host.record_value)
}

/// The flag that makes a command one about this team, as the end of a command.
pub fn flag(team: Option<&str>) -> String {
    team.map_or_else(String::new, |team| format!(" --team {team}"))
}

async fn add(session: &Session, name: String, team: Option<&str>) -> Result<(), Failure> {
    let host = session.client()?.add_host(team, &NewHost { name }).await?;
    if session.output.json {
        return session.output.document(&host);
    }
    match host.state {
        HostState::Unproven => {
            session.output.note("set this DNS record:");
            session.output.line(&record(&host))?;
            session.output.note(&format!("then: wasmcloud host verify {}{}", host.name, flag(team)));
            Ok(())
        }
        HostState::Proven | HostState::Granted => {
            session.output.note(&format!("{} is yours already", host.name));
            session.output.line(&record(&host))
        }
    }
}

async fn verify(session: &Session, host: &HostName, team: Option<&str>) -> Result<(), Failure> {
    let host = session.client()?.verify_host(team, host).await?;
    if session.output.json {
        return session.output.document(&host);
    }
    let name = &host.name;
    session.output.note(&match (host.state, host.routes) {
        (HostState::Granted, _) => format!("{name} was granted to you; it needs no DNS record"),
        (_, 0) => {
            format!("{name} is yours. Route it to a handler: wasmcloud route add {name} NAME{}", flag(team))
        }
        (_, 1) => format!("{name} is yours; its route is served"),
        (_, count) => format!("{name} is yours; its {count} routes are served"),
    });
    Ok(())
}

async fn list(session: &Session, team: Option<&str>) -> Result<(), Failure> {
    let hosts = session.client()?.hosts(team).await?;
    if session.output.json {
        return session.output.document(&hosts);
    }
    if hosts.is_empty() {
        session
            .output
            .note(&format!("there are no hosts; add one: wasmcloud host add api.example.com{}", flag(team)));
        return Ok(());
    }
    let mut table = Table::new(&["HOST", "STATE", "SINCE", "ROUTES", "DNS RECORD"]);
    for host in &hosts {
        let (state, note) = match host.state {
            HostState::Unproven => ("unproven", record(host)),
            HostState::Proven => ("proven", host.problem.clone().unwrap_or_default()),
            HostState::Granted => ("granted", String::new()),
        };
        let since = time(host.proven_at.unwrap_or(host.created_at));
        table.row([host.name.to_string(), state.to_owned(), since, host.routes.to_string(), note]);
    }
    session.output.table(&table)
}

async fn remove(session: &Session, host: &HostName, team: Option<&str>) -> Result<(), Failure> {
    session.client()?.remove_host(team, host).await?;
    session.output.tell(&format!("removed {host}"));
    if session.output.json {
        session.output.document(&json!({ "removed": host }))?;
    }
    Ok(())
}

async fn grant(session: &Session, host: &HostName, user: String) -> Result<(), Failure> {
    let grant = session.client()?.grant_host(host, &NewGrant { user: user.clone() }).await?;
    if session.output.json {
        return session.output.document(&grant);
    }
    session.output.note(&format!("{host} was granted to {user}"));
    if let Some(other) = grant.taken_from {
        session.output.warn(&format!("until now it was {other}'s, whose routes are not served any more"));
    }
    Ok(())
}

async fn revoke(session: &Session, host: &HostName) -> Result<(), Failure> {
    let grant = session.client()?.revoke_host(host).await?;
    if session.output.json {
        return session.output.document(&grant);
    }
    let whose = grant.taken_from.map_or_else(|| "nobody".to_owned(), |user| user.to_string());
    session.output.note(&format!("{host} is nobody's now; until now it was {whose}'s"));
    Ok(())
}
