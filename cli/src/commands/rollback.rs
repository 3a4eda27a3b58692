//! `wasmcloud rollback`

use wasmcloud_wire::HandlerName;

use super::promote;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
}

/// Undoes the last promotion, or the last split, and prints the handler's address.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    promote::tell(session, session.client()?.rollback(&args.name).await?)
}
