//! `wasmcloud export`: a whole installation as one file.

use std::path::PathBuf;

use serde_json::json;
use wasmcloud_api::export::{ExportError, Installation, Summary, export};

use super::block_on;
use super::options::{ApiOptions, Common};
use super::passphrase::PassphraseOptions;
use super::storage::DataDir;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `export`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file to write, which must not be there yet
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    place: PlaceOptions,
}

/// Where an installation is: the options of `serve` and `api` that say so, and nothing else is looked at.
#[derive(Clone, Debug, clap::Args)]
pub struct PlaceOptions {
    /// Where everything is kept [default: wasmcloud in the user's data folder]
    #[arg(long, env = "WASMCLOUD_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// The settings file [default: server.toml in the data directory, if it is there]
    #[arg(long, env = "WASMCLOUD_SETTINGS", value_name = "FILE")]
    settings: Option<PathBuf>,
    #[command(flatten)]
    api: ApiOptions,
}

impl PlaceOptions {
    /// These options, completed by the settings file.
    pub fn complete(self) -> Result<(Common, ApiOptions), Failure> {
        let common = Common { data: self.data, settings: self.settings, ..Common::default() };
        let (mut common, file) = common.complete()?;
        // A command tells what it did; a server's story is not asked for.
        common.log.filter.get_or_insert_with(|| "warn".to_owned());
        Ok((common, self.api.complete(&file)))
    }
}

/// Writes the file, and says what is in it.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, api) = args.place.complete()?;
    block_on(&common, async |shutdown| {
        let data = DataDir::look(&common)?;
        let (jwt_key_file, settings_key_file) = api.key_files(&data);
        let (store, blobs) = (data.store_to_read(&api).await?, data.blobs().await?);
        let place = Installation { store, blobs, jwt_key_file, settings_key_file };
        let passphrase = args.passphrase.passphrase(true)?;
        tokio::select! {
            exported = export(&place, passphrase.reveal(), &args.file) => tell(session, &args.file, &exported.map_err(told)?),
            () = shutdown.cancelled() => Err(Failure::Interrupted),
        }
    })
}

fn tell(session: &Session, file: &std::path::Path, summary: &Summary) -> Result<(), Failure> {
    if session.output.json {
        let mut document = json!(summary);
        if let Some(fields) = document.as_object_mut() {
            fields.insert("file".to_owned(), json!(file.display().to_string()));
        }
        return session.output.document(&document);
    }
    session.output.line(&format!("exported {} to {}", words(summary), file.display()))?;
    session
        .output
        .note("without the passphrase nobody can read it; logs, receipts and recordings are not in it");
    Ok(())
}

/// What there is, in words.
pub fn words(summary: &Summary) -> String {
    let Summary { users, handlers, versions, settings, hosts, modules, module_bytes } = summary;
    format!(
        "{users} users, {handlers} handlers, {versions} versions, {settings} settings, {hosts} hosts and {modules} \
         modules ({module_bytes} bytes)"
    )
}

/// What went wrong, and what to do.
pub fn told(error: ExportError) -> Failure {
    Failure::new(Exit::Failure, error.code(), error.to_string(), error.hint())
}
