//! `wasmcloud users`, for operators.

use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{UserInfo, UserPatch};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{count, one_line, time};

/// What can be done about users and teams.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List users and teams
    List {
        /// Only those whose name has this in it
        query: Option<String>,
    },
    /// Show a user or a team
    Show {
        /// Its name
        name: UserName,
    },
    /// Make a code that a user sets a new password with, once, and print it
    Reset {
        /// The user's name
        name: UserName,
    },
    /// Suspend a user or a team: none of its handlers answers, none of its tokens is good
    Suspend {
        /// Its name
        name: UserName,
        /// Why; everybody reads it who opens one of its addresses
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Lift a suspension
    Resume {
        /// Its name
        name: UserName,
    },
    /// Let a user operate this server
    Promote {
        /// The user's name
        name: UserName,
    },
    /// Let a user operate this server no longer
    Demote {
        /// The user's name
        name: UserName,
    },
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    let client = session.client()?;
    match command {
        Command::List { query } => list(session, client.users(query.as_deref()).await?),
        Command::Show { name } => show(session, client.user(&name).await?),
        Command::Reset { name } => reset(session, &name).await,
        Command::Suspend { name, reason } => {
            let suspension = client.suspend_user(&name, reason).await?;
            session.output.tell(&format!("{name} is suspended"));
            if session.output.json { session.output.document(&suspension) } else { Ok(()) }
        }
        Command::Resume { name } => {
            client.resume_user(&name).await?;
            session.output.tell(&format!("{name} is no longer suspended"));
            if session.output.json { session.output.document(&json!({ "resumed": name })) } else { Ok(()) }
        }
        Command::Promote { name } => operates(session, &name, true).await,
        Command::Demote { name } => operates(session, &name, false).await,
    }
}

fn list(session: &Session, users: Vec<UserInfo>) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(&users);
    }
    let mut table = Table::new(&["NAME", "KIND", "PLAN", "HANDLERS", "SINCE", "LAST SEEN", "SUSPENDED"]);
    for info in users {
        table.row([
            info.user.name.to_string(),
            kind(&info).to_owned(),
            info.plan.clone(),
            count(info.handlers),
            time(info.user.created_at),
            seen(&info),
            info.suspension.map(|suspension| suspension.reason).unwrap_or_default(),
        ]);
    }
    session.output.table(&table)
}

fn show(session: &Session, info: UserInfo) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(&info);
    }
    let output = &session.output;
    output.line(&format!("name       {}", info.user.name))?;
    output.line(&format!("kind       {}", kind(&info)))?;
    output.line(&format!("plan       {}", one_line(&info.plan)))?;
    output.line(&format!("handlers   {}", count(info.handlers)))?;
    if info.is_team {
        let owners: Vec<&str> = info.owners.iter().map(UserName::as_str).collect();
        output.line(&format!("owners     {}", owners.join(", ")))?;
    }
    output.line(&format!("since      {}", time(info.user.created_at)))?;
    output.line(&format!("last seen  {}", seen(&info)))?;
    match info.suspension {
        Some(suspension) => output.line(&format!(
            "suspended  since {}: {}",
            time(suspension.since),
            one_line(&suspension.reason)
        )),
        None => Ok(()),
    }
}

fn seen(info: &UserInfo) -> String {
    info.seen_at.map_or_else(|| "never".to_owned(), time)
}

fn kind(info: &UserInfo) -> &'static str {
    match (info.is_team, info.user.is_admin) {
        (true, _) => "team",
        (false, true) => "operator",
        (false, false) => "user",
    }
}

async fn reset(session: &Session, name: &UserName) -> Result<(), Failure> {
    let reset = session.client()?.reset_user(name).await?;
    if session.output.json {
        return session.output.document(&reset);
    }
    session.output.note(&format!(
        "{name} sets a new password with this code, once, until {}; it is shown only now. The page: {}",
        time(reset.expires_at),
        one_line(&reset.url)
    ));
    session.output.line(&reset.code)
}

async fn operates(session: &Session, name: &UserName, is_admin: bool) -> Result<(), Failure> {
    let patch = UserPatch { is_admin: Some(is_admin), ..UserPatch::default() };
    let info = session.client()?.change_user(name, &patch).await?;
    let now = if is_admin { "operates this server now" } else { "operates this server no longer" };
    session.output.tell(&format!("{name} {now}"));
    if session.output.json { session.output.document(&info) } else { Ok(()) }
}
