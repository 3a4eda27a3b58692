//! `wasmcloud tokens`

use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{NewToken, Scope};

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
        /// What it may be used for: admin (everything), deploy, invoke or read; may be repeated
        /// [default: everything]
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
        scopes: Vec<Scope>,
        /// A handler that it is limited to, which need not be there yet; may be repeated [default: all]
        #[arg(long = "handler", value_name = "NAME", value_delimiter = ',')]
        handlers: Vec<HandlerName>,
    },
    /// Revoke tokens by their ids, which `list` shows
    Revoke {
        /// The ids
        #[arg(required = true, value_name = "ID", value_parser = id)]
        ids: Vec<Uuid>,
    },
}

fn id(text: &str) -> Result<Uuid, String> {
    text.parse().map_err(|_| "it is no token's id; `wasmcloud tokens list` shows the ids".to_owned())
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Create { label, days, scopes, handlers } => {
            let scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
            let handlers = Some(handlers).filter(|handlers| !handlers.is_empty());
            create(session, NewToken { label, days, scopes, handlers }).await
        }
        Command::Revoke { ids } => revoke(session, &ids).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let tokens = session.client()?.tokens().await?;
    if session.output.json {
        return session.output.document(&tokens);
    }
    let mut table =
        Table::new(&["ID", "CREATED", "ENDS", "LAST USED", "MAY", "HANDLERS", "IN USE HERE", "LABEL"]);
    for token in tokens {
        table.row([
            token.id.to_string(),
            time(token.created_at),
            time(token.expires_at),
            token.used_at.map_or_else(|| "never".to_owned(), time),
            may(&token.scopes),
            token.handlers.as_deref().map_or_else(|| "all".to_owned(), names),
            if token.current { "yes" } else { "" }.to_owned(),
            token.label,
        ]);
    }
    session.output.table(&table)
}

/// What a token may be used for. A server from before there were scopes says nothing: it knows no limits.
fn may(scopes: &[Scope]) -> String {
    if scopes.is_empty() || scopes.contains(&Scope::Admin) {
        return "everything".to_owned();
    }
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn names(handlers: &[HandlerName]) -> String {
    handlers.iter().map(HandlerName::as_str).collect::<Vec<_>>().join(", ")
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
