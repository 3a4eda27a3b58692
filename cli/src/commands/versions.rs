//! `wasmcloud versions`

use serde_json::json;
use wasmcloud_wire::body::{RolledBack, Version};
use wasmcloud_wire::{HandlerName, VersionNumber};

use super::promote::version;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{one_line, size, time};

/// Digits of a digest that tell modules apart at a glance.
const DIGEST_CHARS: usize = 12;

/// The arguments of `versions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// Delete this version, which must not be live, nor the one before, nor answer a part of the clients; may be
    /// given several times
    #[arg(long, value_name = "VERSION", value_parser = version)]
    delete: Vec<VersionNumber>,
}

/// Lists a handler's versions, or deletes some of them.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    if !args.delete.is_empty() {
        return delete(session, args).await;
    }
    let versions = session.client()?.versions(&args.name).await?;
    if session.output.json {
        return session.output.document(&versions);
    }
    session.output.table(&table(&versions))?;
    if let Some(rolled_back) = session.client()?.handler(&args.name).await?.rolled_back {
        session.output.warn(&taken_back(&args.name, &rolled_back));
    }
    Ok(())
}

async fn delete(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let mut deleted = Vec::new();
    let mut result = Ok(());
    for number in args.delete.iter().copied() {
        result = client.delete_version(&args.name, number).await;
        if result.is_err() {
            break;
        }
        session.output.tell(&format!("deleted version {number} of {}", args.name));
        deleted.push(number);
    }
    if session.output.json {
        session.output.document(&json!({ "deleted": deleted }))?;
    }
    result
}

/// What a version does for the handler's address.
fn role(version: &Version) -> String {
    match version.split_percent {
        _ if version.live => "live".to_owned(),
        Some(percent) => format!("{percent} %"),
        None if version.previous => "previous".to_owned(),
        None => String::new(),
    }
}

/// Versions as a table.
pub fn table(versions: &[Version]) -> Table {
    let mut table = Table::new(&["VERSION", "LIVE", "ABI", "SIZE", "UPLOADED", "SHA256", "ADDRESS"]);
    for version in versions {
        table.row([
            version.number.to_string(),
            role(version),
            version.abi.to_string(),
            size(version.size_bytes),
            time(version.created_at),
            version.digest.to_string().chars().take(DIGEST_CHARS).collect(),
            version.url.clone(),
        ]);
    }
    table
}

/// That a version was taken back, why, and how it is brought back.
pub fn taken_back(name: &HandlerName, RolledBack { from, to, at, reason }: &RolledBack) -> String {
    format!(
        "version {from} was taken back automatically at {}, to version {to}: {}; `wasmcloud promote {name} {from}` \
         makes it live again",
        time(*at),
        one_line(reason)
    )
}
