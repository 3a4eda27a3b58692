//! `wasmcloud migrate`: brings the database up to date, and starts nothing.

use std::path::{Path, PathBuf};

use serde_json::json;
use wasmcloud_api::store::Migrated;

use super::options::{Common, DatabaseUrl};
use super::{block_on, storage};
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `migrate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The database: a postgres:// URL [default: SQLite in the data directory]
    #[arg(long, env = "WASMCLOUD_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<DatabaseUrl>,
    /// Where everything is kept [default: wasmcloud in the user's data folder]
    #[arg(long, env = "WASMCLOUD_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The settings file [default: server.toml in the data directory, if it is there]
    #[arg(long, env = "WASMCLOUD_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
}

/// Brings the database up to date, and says what that took.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let common = Common { data: args.data, settings: args.settings, ..Common::default() };
    let (common, file) = common.complete()?;
    let database = args.database.or(file.api.database);
    block_on(&common, async |shutdown| {
        tokio::select! {
            migrated = storage::migrate(&common, database.as_ref()) => {
                let (migrated, file) = migrated?;
                tell(session, migrated, file.as_deref())
            }
            // All of it is one transaction, which ends with this.
            () = shutdown.cancelled() => Err(Failure::Interrupted),
        }
    })
}

/// A mistyped data directory shows in the `file` that is new.
fn tell(session: &Session, Migrated { from, to }: Migrated, file: Option<&Path>) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(&json!({ "from": from, "to": to }));
    }
    session.output.line(&match (from, file) {
        (0, Some(file)) => format!("{} is new: it was made and brought to migration {to}", file.display()),
        (0, None) => format!("the database is new: it was brought to migration {to}"),
        (from, _) if from == to => format!("nothing to do: the database is at migration {to}"),
        (from, _) => format!("the database was brought from migration {from} to {to}"),
    })
}
