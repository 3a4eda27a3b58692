//! `wasmcloud transfer`

use wasmcloud_wire::body::Transfer;
use wasmcloud_wire::{HandlerName, UserName};

use super::name_arg::name;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `transfer`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler, to which no route may lead
    #[arg(value_parser = |text: &str| name(text, "wasmcloud transfer NAME TO"))]
    name: HandlerName,
    /// The team that gets it, whose owner you are; or your own name
    to: UserName,
}

/// Gives a handler to another account.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let Args { name, to } = args;
    let handler = session.client()?.transfer(&name, &Transfer { to: to.to_string() }).await?;
    if session.output.json {
        return session.output.document(&handler);
    }
    session.output.tell(&format!("{name} is {to}'s now, at the same address"));
    Ok(())
}
