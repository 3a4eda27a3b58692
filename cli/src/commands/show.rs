//! `wasmcloud show`

use serde_json::json;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::Handler;

use super::{record_args, versions};
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
    let (client, user) = session.client_and_user()?;
    let handler = client.handler(&args.name).await?;
    let versions = client.versions(&args.name).await?;
    let recording = client.recording_policy(&args.name).await?;
    let output = &session.output;
    if output.json {
        return output.document(&json!({ "handler": handler, "versions": versions, "recording": recording }));
    }
    output.line(&format!("{:<24}{}", "name", handler.name))?;
    if let Some(owner) = &handler.owner
        && user.as_deref() != Some(owner.as_str())
    {
        let role = handler.role.map_or_else(String::new, |role| format!(" (you: {role})"));
        output.line(&format!("{:<24}{owner}{role}", "owner"))?;
    }
    for (label, value) in [
        ("address", handler.url.clone()),
        ("live", live(&handler)),
        ("before", handler.previous.map_or("nothing".to_owned(), |version| format!("version {version}"))),
        ("automatic rollback", if handler.auto_rollback { "on" } else { "off" }.to_owned()),
        ("ABI", handler.abi.to_string()),
        ("sha256", handler.digest.to_string()),
        ("forwards Authorization", if handler.forward_authorization { "yes" } else { "no" }.to_owned()),
        ("recording", record_args::said(recording.as_ref())),
        ("created", time(handler.created_at)),
        ("changed", time(handler.updated_at)),
        ("id", handler.id.to_string()),
    ] {
        output.line(&format!("{label:<24}{}", one_line(&value)))?;
    }
    output.line("")?;
    output.table(&versions::table(&versions))?;
    if let Some(reason) = &handler.suspended {
        output.warn(&format!(
            "the team that has it is suspended, so its address answers 403: {}",
            one_line(reason)
        ));
    }
    if let Some(rolled_back) = &handler.rolled_back {
        output.warn(&versions::taken_back(&handler.name, rolled_back));
    }
    Ok(())
}

/// Which version answers, since when, and which one beside it.
fn live(handler: &Handler) -> String {
    let since = handler.promoted_at.map(|at| format!(" since {}", time(at)));
    let split = handler
        .split
        .map(|split| format!(", and version {} for {} % of the clients", split.version, split.percent));
    format!("version {}{}{}", handler.live, since.unwrap_or_default(), split.unwrap_or_default())
}
