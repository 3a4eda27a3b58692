//! Writing an installation to a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use wasmcloud_wire::{Digest, Timestamp};

use super::archive::Writer;
use super::keys::{KEYS_ENTRY, Keys};
use super::manifest::{MANIFEST_ENTRY, Manifest};
use super::seal::Seal;
use super::{
    ExportError, Installation, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Summary, off_thread, rows,
};
use crate::store::{Dump, TABLES, newest_migration};

/// How often an export begins again when a handler is deleted before its modules were read.
const ATTEMPTS_MAX: u32 = 3;

/// Writes an installation, as it is at one moment, to a file that is not there yet. Whatever fails, there is no
/// such file then. Servers may be using the installation meanwhile.
pub async fn export(place: &Installation, passphrase: &str, path: &Path) -> Result<Summary, ExportError> {
    if !(PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX).contains(&passphrase.len()) {
        return Err(ExportError::Passphrase(passphrase.len()));
    }
    if path.symlink_metadata().is_ok() {
        return Err(ExportError::Exists(path.to_owned()));
    }
    let mut attempt = 1;
    loop {
        match export_once(place, passphrase, path).await {
            Err(ExportError::Changed) if attempt < ATTEMPTS_MAX => attempt += 1,
            result => return result,
        }
    }
}

async fn export_once(place: &Installation, passphrase: &str, path: &Path) -> Result<Summary, ExportError> {
    let mut dump = place.store.dump().await?;
    let mut counts = BTreeMap::new();
    for table in TABLES {
        counts.insert(table.name.to_owned(), dump.count(table).await?);
    }
    let modules = dump.modules().await?;
    let sizes: Vec<u64> = modules.iter().map(|(_, size)| *size).collect();
    let now = Timestamp::now();
    let manifest = Manifest::new(now, newest_migration(), counts, &sizes)?;
    if manifest.rows_of("users") == 0 {
        return Err(ExportError::Nothing);
    }
    let keys = Keys::read(place, manifest.rows_of("handler_settings"))?;

    let mut out = Out::begin(path, now, &manifest, passphrase).await?;
    let keys = serde_json::to_vec(&keys).map_err(|error| ExportError::Stopped(error.to_string()))?;
    out.seal(KEYS_ENTRY.to_owned(), keys).await?;
    out.tables(dump.as_mut()).await?;
    // Modules are looked for outside of the snapshot: nothing in it changes, and the database is held up no longer.
    drop(dump);
    for (digest, _) in &modules {
        let bytes = match place.blobs.get(digest).await? {
            Some(bytes) => bytes,
            None => return Err(gone(place, digest).await?),
        };
        out.seal(format!("modules/{digest}"), bytes.to_vec()).await?;
    }
    out.finish().await?;
    Ok(manifest.summary())
}

/// Why a module is not there: its last handler was deleted a moment ago, or it is lost.
async fn gone(place: &Installation, digest: &Digest) -> Result<ExportError, ExportError> {
    let users = place.store.users_of_module(digest).await?;
    Ok(match users.is_empty() {
        true => ExportError::Changed,
        false => ExportError::ModuleMissing { digest: *digest, users },
    })
}

/// The file on its way.
struct Out {
    /// Nothing while a thread has it, and after a failure.
    writer: Option<Writer>,
    seal: Arc<Seal>,
}

impl Out {
    async fn begin(
        path: &Path,
        now: Timestamp,
        manifest: &Manifest,
        passphrase: &str,
    ) -> Result<Out, ExportError> {
        let text = manifest.to_json()?;
        let (path, passphrase) = (path.to_owned(), passphrase.to_owned());
        let derivation = manifest.passphrase.clone();
        off_thread(move || {
            let seal = derivation.key(&passphrase, &text).map_err(ExportError::Stopped)?;
            let seconds = u64::try_from(now.0 / 1000).unwrap_or_default();
            let writer = Writer::create(&path, seconds)?.add(MANIFEST_ENTRY, &text)?;
            Ok(Out { writer: Some(writer), seal: Arc::new(seal) })
        })
        .await
    }

    async fn tables(&mut self, dump: &mut dyn Dump) -> Result<(), ExportError> {
        for table in TABLES {
            let mut part = 0_u64;
            let mut read = dump.rows(table, None).await?;
            while let Some(last) = read.last().cloned() {
                for text in rows::to_parts(table, &read) {
                    self.seal(format!("tables/{}/{part}", table.name), text.into_bytes()).await?;
                    part += 1;
                }
                read = dump.rows(table, Some(&last)).await?;
            }
        }
        Ok(())
    }

    async fn seal(&mut self, name: String, text: Vec<u8>) -> Result<(), ExportError> {
        let (writer, seal) = (self.writer()?, Arc::clone(&self.seal));
        let added = off_thread(move || {
            let sealed = seal.seal(writer.position(), &name, &text)?;
            writer.add(&name, &sealed)
        });
        self.writer = Some(added.await?);
        Ok(())
    }

    async fn finish(mut self) -> Result<u64, ExportError> {
        let writer = self.writer()?;
        off_thread(move || writer.finish()).await
    }

    fn writer(&mut self) -> Result<Writer, ExportError> {
        self.writer.take().ok_or_else(|| ExportError::Stopped("writing failed before".to_owned()))
    }
}
