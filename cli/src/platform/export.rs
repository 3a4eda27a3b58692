//! `wasmcloud export`: a whole installation as one file.

use std::path::PathBuf;

use serde_json::json;
use wasmcloud_api::export::{ExportError, Installation, Summary, export};

use super::block_on;
use super::options::{ApiOptions, Common, DatabaseUrl, StorageOptions};
use super::passphrase::PassphraseOptions;
use super::storage::DataDir;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::text::{plural, size};

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
    /// The database: a postgres:// URL [default: SQLite in the data directory]
    #[arg(long, env = "WASMCLOUD_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<DatabaseUrl>,
    /// The key that signs tokens [default: jwt-key.pk8 in the data directory]
    #[arg(long, env = "WASMCLOUD_JWT_KEY_FILE", value_name = "FILE")]
    jwt_key_file: Option<PathBuf>,
    /// The key that handlers' settings are encrypted with [default: settings-key in the data directory]
    #[arg(long, env = "WASMCLOUD_SETTINGS_KEY_FILE", value_name = "FILE")]
    settings_key_file: Option<PathBuf>,
    #[command(flatten)]
    storage: StorageOptions,
}

impl PlaceOptions {
    /// These options, completed by the settings file.
    pub fn complete(self) -> Result<(Common, ApiOptions, StorageOptions), Failure> {
        let common = Common { data: self.data, settings: self.settings, ..Common::default() };
        let (mut common, file) = common.complete()?;
        let (database, jwt_key_file) = (self.database, self.jwt_key_file);
        let api = ApiOptions {
            database,
            jwt_key_file,
            settings_key_file: self.settings_key_file,
            ..ApiOptions::default()
        };
        // A command tells what it did; a server's story is not asked for.
        common.log.filter.get_or_insert_with(|| "warn".to_owned());
        Ok((common, api.complete(&file), self.storage.complete(&file)))
    }
}

/// Writes the file, and says what is in it.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, api, storage) = args.place.complete()?;
    block_on(&common, async |shutdown| {
        let data = DataDir::look(&common)?;
        let (jwt_key_file, settings_key_file) = api.key_files(&data);
        let (store, blobs) = (data.store_to_read(&api).await?, data.blobs(&storage).await?);
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
    let Summary { users, handlers, versions, settings, hosts, modules, module_bytes } = *summary;
    let count = |number: u64, one, many| plural(usize::try_from(number).unwrap_or(usize::MAX), one, many);
    format!(
        "{}, {}, {}, {}, {} and {} ({})",
        count(users, "user", "users"),
        count(handlers, "handler name", "handler names"),
        count(versions, "version", "versions"),
        count(settings, "setting", "settings"),
        count(hosts, "host", "hosts"),
        count(modules, "module", "modules"),
        size(module_bytes)
    )
}

/// What went wrong, and what to do.
pub fn told(error: ExportError) -> Failure {
    Failure::new(Exit::Failure, error.code(), error.to_string(), error.hint())
}
