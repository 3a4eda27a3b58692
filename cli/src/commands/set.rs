//! `wasmcloud set`

use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::HandlerPatch;

use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `set`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    #[command(flatten)]
    settings: Settings,
}

/// What can be set; at least one of them has to be.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Settings {
    /// Whether the program sees the `Authorization` field of requests
    #[arg(long, value_name = "true|false")]
    forward_authorization: Option<bool>,
}

/// Changes a handler's settings.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let patch = HandlerPatch { forward_authorization: args.settings.forward_authorization };
    let handler = session.client()?.patch(&args.name, &patch).await?;
    if session.output.json {
        return session.output.document(&handler);
    }
    session.output.note(&format!(
        "{}: the program {} the Authorization field of requests",
        handler.name,
        if handler.forward_authorization { "sees" } else { "does not see" }
    ));
    Ok(())
}
