//! `wasmcloud delete`

use serde_json::json;
use wasmcloud_wire::HandlerName;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::prompt;
use crate::session::Session;

/// The arguments of `delete`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handlers
    #[arg(required = true, value_name = "NAME")]
    names: Vec<HandlerName>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Deletes handlers, one after the other; the first that fails ends it.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    if !args.yes && !agreed(args).await? {
        return Err(Failure::new(Exit::Failure, "declined", "nothing was deleted", ""));
    }
    let mut deleted = Vec::new();
    let mut result = Ok(());
    for name in &args.names {
        result = client.delete(name).await;
        if result.is_err() {
            break;
        }
        session.output.tell(&format!("deleted {name}"));
        deleted.push(name);
    }
    if session.output.json {
        session.output.document(&json!({ "deleted": deleted }))?;
    }
    result
}

async fn agreed(args: &Args) -> Result<bool, Failure> {
    let names: Vec<&str> = args.names.iter().map(HandlerName::as_str).collect();
    may_delete(&format!("Delete {} with all versions and logs?", names.join(", "))).await
}

/// Asks whether to delete something; a usage error where nobody can be asked.
pub(super) async fn may_delete(question: &str) -> Result<bool, Failure> {
    if !prompt::is_possible() {
        return Err(Failure::usage(
            "nobody can be asked whether to delete: this is no terminal",
            "add --yes to delete without being asked",
        ));
    }
    prompt::confirm(question).await
}
