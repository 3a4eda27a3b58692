//! `wasmcloud invite`

use serde_json::json;

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// The arguments of `invite`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else can be done with invitations.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List invitations, but never their codes
    List,
    /// Take back invitations by their ids, which `list` shows
    Revoke {
        /// The ids
        #[arg(required = true, value_name = "ID", value_parser = id)]
        ids: Vec<String>,
    },
}

/// An invitation's id as a part of an address.
fn id(text: &str) -> Result<String, String> {
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "an id has digits and letters from a to f".to_owned())
}

/// Does it; without anything said, makes an invitation.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    match args.command {
        None => create(session).await,
        Some(Command::List) => list(session).await,
        Some(Command::Revoke { ids }) => revoke(session, &ids).await,
    }
}

async fn create(session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let invitation = client.invite().await?;
    if session.output.json {
        return session.output.document(&invitation);
    }
    session.output.note(&format!(
        "one new user may register with this code until {}: `wasmcloud register --api-server {} --invitation CODE`",
        time(invitation.expires_at),
        client.server()
    ));
    // The code is good; whether it is of use now, the server may change its mind about.
    if let Ok(server) = client.server_info().await
        && server.registration != "invitation"
    {
        session.output.warn(&of_no_use(&server.registration));
    }
    session.output.line(&invitation.code)
}

/// What an invitation is for where nobody, or everybody, may register.
fn of_no_use(registration: &str) -> String {
    let now = match registration {
        "open" => "everybody can register without it now",
        _ => "nobody can register with it now",
    };
    format!(
        "{now}: set `registration = \"invitation\"` in `[api]`, or start with `--registration invitation`"
    )
}

async fn list(session: &Session) -> Result<(), Failure> {
    let invitations = session.client()?.invitations().await?;
    if session.output.json {
        return session.output.document(&invitations);
    }
    let mut table = Table::new(&["ID", "MADE BY", "MADE", "ENDS", "USED BY"]);
    for invitation in invitations {
        table.row([
            invitation.id,
            invitation.created_by.to_string(),
            time(invitation.created_at),
            time(invitation.expires_at),
            invitation.used_by.map(|name| name.to_string()).unwrap_or_default(),
        ]);
    }
    session.output.table(&table)
}

async fn revoke(session: &Session, ids: &[String]) -> Result<(), Failure> {
    let client = session.client()?;
    let mut revoked = Vec::new();
    let mut result = Ok(());
    for id in ids {
        result = client.revoke_invitation(id).await;
        if result.is_err() {
            break;
        }
        session.output.tell(&format!("took back {id}"));
        revoked.push(id);
    }
    if session.output.json {
        session.output.document(&json!({ "revoked": revoked }))?;
    }
    result
}
