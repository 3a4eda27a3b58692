//! `wasmcloud show`

use serde_json::json;
use wasmcloud_wire::HandlerName;

use super::versions;
use crate::failure::Failure;
use crate::session::Session;
use crate::text::{one_line, time};

/// The arguments of `show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
}

/// Shows a handler and its versions.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let handler = client.handler(&args.name).await?;
    let versions = client.versions(&args.name).await?;
    let output = &session.output;
    if output.json {
        return output.document(&json!({ "handler": handler, "versions": versions }));
    }
    for (label, value) in [
        ("name", handler.name.to_string()),
        ("address", handler.url),
        ("live", format!("version {}", handler.live)),
        ("ABI", handler.abi.to_string()),
        ("sha256", handler.digest.to_string()),
        ("forwards Authorization", if handler.forward_authorization { "yes" } else { "no" }.to_owned()),
        ("created", time(handler.created_at)),
        ("changed", time(handler.updated_at)),
        ("id", handler.id.to_string()),
    ] {
        output.line(&format!("{label:<24}{}", one_line(&value)))?;
    }
    output.line("")?;
    output.table(&versions::table(&versions))
}
