//! `wasmcloud teams`: accounts that several people act for.

use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{Member, NewTeam, Offer, Role, SetMember, TeamWithMembers};

use super::delete::may_delete;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// What can be done with teams. A name is parsed here, so that nothing else gets into an address.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the teams that you belong to, and those that invite you
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
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Invite somebody to a team, or give a member another role (owners only)
    ///
    /// Whoever is to join, or to be an owner, has to accept it: wasmcloud teams accept.
    Add {
        /// The team
        name: UserName,
        /// The user's name
        user: UserName,
        /// What the user is in it: viewer (sees), deployer (changes and runs) or owner
        #[arg(long, default_value_t = Role::Deployer)]
        role: Role,
    },
    /// Take somebody out of a team, or an invitation back (owners only)
    Remove {
        /// The team
        name: UserName,
        /// The user's name
        user: UserName,
    },
    /// Accept an invitation of a team, or to be its owner
    Accept {
        /// The team
        name: UserName,
    },
    /// Decline an invitation of a team, or to be its owner
    Decline {
        /// The team
        name: UserName,
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
        Command::Delete { name, yes } => delete(session, &name, yes).await,
        Command::Add { name, user, role } => add(session, &name, &user, role).await,
        Command::Remove { name, user } => remove(session, &name, &user).await,
        Command::Accept { name } => accept(session, &name).await,
        Command::Decline { name } => decline(session, &name).await,
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
    for team in &teams {
        // Whoever is invited sees nothing else of it.
        let members = team.role.map_or_else(String::new, |_| team.members.to_string());
        let created = team.role.map_or_else(String::new, |_| time(team.created_at));
        table.row([team.name.to_string(), standing(team.role, team.offered), members, created]);
    }
    session.output.table(&table)?;
    for team in &teams {
        let Some(Offer { role, expires_at }) = team.offered else { continue };
        session.output.note(&format!(
            "next, until {}: wasmcloud teams accept {1} (you are {2} {role} of it then), or wasmcloud teams decline {1}",
            time(expires_at),
            team.name,
            article(role),
        ));
    }
    Ok(())
}

/// What somebody is, and may become.
fn standing(role: Option<Role>, offered: Option<Offer>) -> String {
    match (role, offered) {
        (Some(role), None) => role.to_string(),
        (Some(role), Some(offer)) => format!("{role}, invited as {}", offer.role),
        (None, Some(offer)) => format!("invited as {}", offer.role),
        (None, None) => String::new(),
    }
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
        let Member { user, role, offered, since } = member;
        table.row([user.to_string(), standing(role, offered), time(since)]);
    }
    session.output.table(&table)
}

async fn delete(session: &Session, name: &UserName, yes: bool) -> Result<(), Failure> {
    let client = session.client()?;
    if !yes && !may_delete(&format!("Delete the team {name}?")).await? {
        return Err(Failure::new(Exit::Failure, "declined", "nothing was deleted", ""));
    }
    client.delete_team(name.as_str()).await?;
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
    match member.offered {
        None => session.output.tell(&format!("{user} is {} {role} of {name}", article(role))),
        Some(offer) => {
            let expires = time(offer.expires_at);
            session.output.tell(&format!("invited {user} to be {} {role} of {name}", article(role)));
            session.output.note(&format!("next, by {user}, until {expires}: wasmcloud teams accept {name}"));
        }
    }
    Ok(())
}

async fn accept(session: &Session, name: &UserName) -> Result<(), Failure> {
    let team = session.client()?.accept_team(name.as_str()).await?;
    if session.output.json {
        return session.output.document(&team);
    }
    let role = team.role.unwrap_or(Role::Viewer);
    session.output.tell(&format!("you are {} {role} of {name}", article(role)));
    Ok(())
}

async fn decline(session: &Session, name: &UserName) -> Result<(), Failure> {
    session.client()?.decline_team(name.as_str()).await?;
    session.output.tell(&format!("declined the invitation of {name}"));
    if session.output.json {
        session.output.document(&json!({ "declined": name }))?;
    }
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
