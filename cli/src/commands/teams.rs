//! `wasmcloud teams`: accounts that several people act for.

use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{NewTeam, Role, SetMember, TeamWithMembers};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// What can be done with teams. A name is parsed here, so that nothing else gets into an address.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the teams that you belong to
    List,
    /// Make a team, whose owner you are
    Create {
        /// Its name, which no user and no other team has
        name: UserName,
    },
    /// Show who belongs to a team
    Show {
        /// The team
        name: UserName,
    },
    /// Delete a team that has neither handlers nor hosts (owners only)
    Delete {
        /// The team
        name: UserName,
    },
    /// Add somebody to a team, or give another role (owners only)
    Add {
        /// The team
        name: UserName,
        /// The user's name
        user: UserName,
        /// What the user is in it: viewer (sees), deployer (changes and runs) or owner
        #[arg(long, default_value_t = Role::Deployer)]
        role: Role,
    },
    /// Take somebody out of a team (owners only)
    Remove {
        /// The team
        name: UserName,
        /// The user's name
        user: UserName,
    },
    /// Leave a team
    Leave {
        /// The team
        name: UserName,
    },
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Create { name } => create(session, &name).await,
        Command::Show { name } => show(session, &name).await,
        Command::Delete { name } => delete(session, &name).await,
        Command::Add { name, user, role } => add(session, &name, &user, role).await,
        Command::Remove { name, user } => remove(session, &name, &user).await,
        Command::Leave { name } => {
            let user = session.client()?.whoami().await?.name;
            remove(session, &name, &user).await
        }
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let teams = session.client()?.teams().await?;
    if session.output.json {
        return session.output.document(&teams);
    }
    if teams.is_empty() {
        session.output.note("you belong to no team; make one: wasmcloud teams create NAME");
        return Ok(());
    }
    let mut table = Table::new(&["TEAM", "YOU ARE", "MEMBERS", "CREATED"]);
    for team in teams {
        table.row([
            team.name.to_string(),
            team.role.to_string(),
            team.members.to_string(),
            time(team.created_at),
        ]);
    }
    session.output.table(&table)
}

async fn create(session: &Session, name: &UserName) -> Result<(), Failure> {
    let team = session.client()?.create_team(&NewTeam { name: name.to_string() }).await?;
    if session.output.json {
        return session.output.document(&team);
    }
    session.output.tell(&format!("made the team {name}; you are its owner"));
    session
        .output
        .note(&format!("next: wasmcloud teams add {name} USER, wasmcloud create FILE --team {name}"));
    Ok(())
}

async fn show(session: &Session, name: &UserName) -> Result<(), Failure> {
    let shown = session.client()?.team(name.as_str()).await?;
    if session.output.json {
        return session.output.document(&shown);
    }
    let TeamWithMembers { people, .. } = shown;
    let mut table = Table::new(&["USER", "ROLE", "SINCE"]);
    for member in people {
        table.row([member.user.to_string(), member.role.to_string(), time(member.since)]);
    }
    session.output.table(&table)
}

async fn delete(session: &Session, name: &UserName) -> Result<(), Failure> {
    session.client()?.delete_team(name.as_str()).await?;
    session.output.tell(&format!("deleted the team {name}"));
    if session.output.json {
        session.output.document(&json!({ "deleted": name }))?;
    }
    Ok(())
}

async fn add(session: &Session, name: &UserName, user: &UserName, role: Role) -> Result<(), Failure> {
    let member = session.client()?.set_member(name.as_str(), user.as_str(), &SetMember { role }).await?;
    if session.output.json {
        return session.output.document(&member);
    }
    session.output.tell(&format!("{user} is {} {role} of {name}", article(role)));
    Ok(())
}

fn article(role: Role) -> &'static str {
    if role == Role::Owner { "an" } else { "a" }
}

async fn remove(session: &Session, name: &UserName, user: &UserName) -> Result<(), Failure> {
    session.client()?.remove_member(name.as_str(), user.as_str()).await?;
    session.output.tell(&format!("{user} does not belong to {name} any more"));
    if session.output.json {
        session.output.document(&json!({ "removed": user }))?;
    }
    Ok(())
}
