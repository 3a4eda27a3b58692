//! `wasmcloud import`: puts what `wasmcloud export` wrote where there is no installation yet.

use std::path::PathBuf;

use serde_json::json;
use wasmcloud_api::export::{Imported, Installation, check, import};
use wasmcloud_api::store::Schema;

use super::block_on;
use super::export::{PlaceOptions, told, words};
use super::options::{ApiOptions, Common, StorageOptions};
use super::passphrase::PassphraseOptions;
use super::storage::DataDir;
use crate::failure::Failure;
use crate::session::Session;

/// The arguments of `import`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file that `wasmcloud export` wrote
    file: PathBuf,
    /// Only read the file to its end, and say what is in it; needs no installation
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    place: PlaceOptions,
}

/// Reads the file, writes what is in it, and says what it was.
pub fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let (common, api, storage) = args.place.clone().complete()?;
    block_on(&common, async |shutdown| {
        tokio::select! {
            done = read(session, &args, &common, (&api, &storage)) => done,
            // Rows are one transaction, which ends with this.
            () = shutdown.cancelled() => Err(Failure::Interrupted),
        }
    })
}

async fn read(
    session: &Session,
    args: &Args,
    common: &Common,
    (api, storage): (&ApiOptions, &StorageOptions),
) -> Result<(), Failure> {
    if args.check {
        let passphrase = args.passphrase.passphrase(false)?;
        let summary = check(passphrase.reveal(), &args.file).await.map_err(told)?;
        if session.output.json {
            return session.output.document(&json!(summary));
        }
        return session.output.line(&format!("{} is whole, with {}", args.file.display(), words(&summary)));
    }
    let data = DataDir::open(common)?;
    let (jwt_key_file, settings_key_file) = api.key_files(&data);
    let (store, blobs) = (data.store(api, Schema::Migrate).await?, data.blobs(storage).await?);
    let place = Installation { store, blobs, jwt_key_file, settings_key_file };
    let passphrase = args.passphrase.passphrase(false)?;
    let imported = import(&place, passphrase.reveal(), &args.file).await.map_err(told)?;
    tell(session, &imported)
}

fn tell(session: &Session, imported: &Imported) -> Result<(), Failure> {
    let output = &session.output;
    if output.json {
        return output.document(imported);
    }
    output.line(&format!("imported {}", words(&imported.summary)))?;
    if imported.settings_resealed > 0 {
        output.note(&format!(
            "{} settings are encrypted with the settings key that was here",
            imported.settings_resealed
        ));
    }
    if imported.settings_unreadable > 0 {
        output.warn(&format!(
            "{} settings could not be read where they come from: their owners have to set them again",
            imported.settings_unreadable
        ));
    }
    if !imported.tokens_are_good {
        output.warn(
            "another key signs tokens here, so everybody has to log in again; to keep their tokens, import where \
             there is no such key yet",
        );
    }
    output.note("next: start the server as before, with the same --data and --database");
    Ok(())
}
