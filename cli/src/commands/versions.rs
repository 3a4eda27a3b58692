//! `wasmcloud versions`

use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::Version;

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{size, time};

/// Digits of a digest that tell modules apart at a glance.
const DIGEST_CHARS: usize = 12;

/// The arguments of `versions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
}

/// Lists a handler's versions.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let versions = session.client()?.versions(&args.name).await?;
    if session.output.json {
        return session.output.document(&versions);
    }
    session.output.table(&table(&versions))
}

/// Versions as a table.
pub fn table(versions: &[Version]) -> Table {
    let mut table = Table::new(&["VERSION", "LIVE", "ABI", "SIZE", "UPLOADED", "SHA256", "ADDRESS"]);
    for version in versions {
        table.row([
            version.number.to_string(),
            if version.live { "live" } else { "" }.to_owned(),
            version.abi.to_string(),
            size(version.size_bytes),
            time(version.created_at),
            version.digest.to_string().chars().take(DIGEST_CHARS).collect(),
            version.url.clone(),
        ]);
    }
    table
}
