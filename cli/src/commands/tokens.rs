//! `wasmcloud tokens`

use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::body::NewToken;

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// What can be done with tokens.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List your tokens, but never what they are
    List,
    /// Make a token and print it, this one time
    Create {
        /// What it is for
        label: String,
        /// How many days it lasts, 1 to 365 [default: 90]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=365))]
        days: Option<u32>,
    },
    /// Revoke tokens by their ids, which `list` shows
    Revoke {
        /// The ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Uuid>,
    },
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Create { label, days } => {
            create(session, NewToken { label, days, scopes: None, handlers: None }).await
        }
        Command::Revoke { ids } => revoke(session, &ids).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let tokens = session.client()?.tokens().await?;
    if session.output.json {
        return session.output.document(&tokens);
    }
    let mut table = Table::new(&["ID", "CREATED", "ENDS", "IN USE HERE", "LABEL"]);
    for token in tokens {
        table.row([
            token.id.to_string(),
            time(token.created_at),
            time(token.expires_at),
            if token.current { "yes" } else { "" }.to_owned(),
            token.label,
        ]);
    }
    session.output.table(&table)
}

async fn create(session: &Session, token: NewToken) -> Result<(), Failure> {
    let grant = session.client()?.create_token(&token).await?;
    if session.output.json {
        return session.output.document(&grant);
    }
    session.output.note(&format!(
        "token {}, good until {}; it is shown only now:",
        grant.id,
        time(grant.expires_at)
    ));
    session.output.line(&grant.token)
}

async fn revoke(session: &Session, ids: &[Uuid]) -> Result<(), Failure> {
    let client = session.client()?;
    let mut revoked = Vec::new();
    let mut result = Ok(());
    for id in ids {
        result = client.revoke_token(*id).await;
        if result.is_err() {
            break;
        }
        session.output.tell(&format!("revoked {id}"));
        revoked.push(id);
    }
    if session.output.json {
        session.output.document(&json!({ "revoked": revoked }))?;
    }
    result
}
