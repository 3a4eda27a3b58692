//! Reading an installation from a file: all of it before anything is written.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::Digest;

use super::archive::{Entry, Reader};
use super::keys::{KEYS_ENTRY, Keys, Resealed};
use super::manifest::{MANIFEST_ENTRY, Manifest};
use super::order::Order;
use super::seal::Seal;
use super::{ExportError, Imported, Installation, Summary, off_thread, rows, sound};
use crate::store::{AuditMore, Cell, NewAuditRow, Row, TABLES, Table, newest_migration};

/// The position of the keys: the first entry that is sealed.
const KEYS_POSITION: u64 = 1;

/// Reads a file to its end, and says what is in it. Writes nothing.
pub async fn check(passphrase: &str, path: &Path) -> Result<Summary, ExportError> {
    let mut contents = Contents::open(passphrase, path).await?;
    verify(&mut contents).await?;
    Ok(contents.manifest.summary())
}

/// Puts what a file has where there is no installation yet: first the modules, then the keys where there are none,
/// then all rows in one transaction. If that fails, there are no users, and the same import can be tried again.
pub async fn import(place: &Installation, passphrase: &str, path: &Path) -> Result<Imported, ExportError> {
    if place.store.count_users().await? > 0 {
        return Err(ExportError::NotEmpty);
    }
    let mut contents = Contents::open(passphrase, path).await?;
    let keys = verify(&mut contents).await?;

    contents.rewind()?;
    while let Some(item) = contents.next().await? {
        if let Item::Module(digest, bytes) = item {
            place.blobs.put(&digest, bytes).await?;
        }
    }

    let placed = keys.put(place)?;
    // The audit log itself does not travel. An import that fails leaves this without a status.
    let note = NewAuditRow::by_server("installation.import", "-", None, &json!(contents.manifest.summary()));
    let noted = place.store.begin_audit(&note).await?;
    let mut restore = place.store.restore().await?.ok_or(ExportError::NotEmpty)?;
    let mut settings = Resealed::default();
    contents.rewind()?;
    while let Some(item) = contents.next().await? {
        match item {
            Item::Keys(_) => {}
            Item::Rows(table, _, mut rows) => {
                if table.name == "handler_settings" {
                    let done = placed.reseal(table, &mut rows);
                    settings.resealed += done.resealed;
                    settings.unreadable += done.unreadable;
                }
                restore.insert(table, &rows).await?;
            }
            // No rows come after the modules: that was looked at above.
            Item::Module(..) => break,
        }
    }
    // From here on the rows may be there, whatever becomes of this task: so the keys have to be.
    let tokens_are_good = placed.tokens_are_good;
    placed.keep();
    restore.commit().await?;
    if let Err(error) = place.store.finish_audit(noted, 200, &AuditMore::default()).await {
        tracing::warn!(%error, "cannot note in the audit log that the import is done");
    }
    Ok(Imported {
        summary: contents.manifest.summary(),
        tokens_are_good,
        settings_resealed: settings.resealed,
        settings_unreadable: settings.unreadable,
    })
}

/// Reads everything, and whether it is all there and fits together.
async fn verify(contents: &mut Contents) -> Result<Keys, ExportError> {
    counts_every_table(contents)?;
    let mut order = Order::default();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    let mut modules = 0_u64;
    let mut keys = None;
    let mut handlers: HashSet<Uuid> = HashSet::new();
    let mut needed: HashSet<Vec<u8>> = HashSet::new();
    let mut plans_for_newcomers = 0_u64;
    while let Some(item) = contents.next().await? {
        match item {
            Item::Keys(found) => keys = Some(found),
            Item::Rows(table, part, rows) => {
                order.part(table, part).map_err(|what| contents.damaged(what))?;
                for row in &rows {
                    sound::check(table, row).map_err(|what| contents.unsound(table, what))?;
                }
                *counts.entry(table.name).or_default() += rows.len() as u64;
                match table.name {
                    "plans" => {
                        plans_for_newcomers += rows.iter().filter(|row| is_default(table, row)).count() as u64
                    }
                    "handlers" => handlers.extend(rows.iter().filter_map(|row| undeleted(table, row))),
                    "versions" => {
                        needed.extend(rows.iter().filter_map(|row| module_of(table, row, &handlers)))
                    }
                    _ => {}
                }
            }
            Item::Module(digest, _) => {
                order.module(&digest).map_err(|what| contents.damaged(what))?;
                modules += 1;
                needed.remove(digest.as_bytes().as_slice());
            }
        }
    }
    let manifest = &contents.manifest;
    for table in TABLES {
        let (found, told) =
            (counts.get(table.name).copied().unwrap_or_default(), manifest.rows_of(table.name));
        if found != told {
            return Err(
                contents.damaged(format!("it has {found} rows of {}, and should have {told}", table.name))
            );
        }
    }
    if modules != manifest.modules {
        return Err(
            contents.damaged(format!("it has {modules} modules, and should have {}", manifest.modules))
        );
    }
    if plans_for_newcomers != 1 {
        return Err(
            contents.damaged(format!("{plans_for_newcomers} of its plans are for newcomers, not one"))
        );
    }
    if let Some(digest) = needed.iter().next() {
        return Err(contents.damaged(format!("the module {} is missing in it", hex::encode(digest))));
    }
    keys.ok_or_else(|| contents.damaged("it has no keys".to_owned()))
}

/// Whether the manifest says of every table, and of no other, how many rows it has; and that there is a user.
fn counts_every_table(contents: &Contents) -> Result<(), ExportError> {
    let manifest = &contents.manifest;
    if let Some(missing) = TABLES.iter().find(|table| !manifest.rows.contains_key(table.name)) {
        return Err(contents.damaged(format!("it does not say how many rows of {} it has", missing.name)));
    }
    if manifest.rows.len() > TABLES.len() {
        return Err(contents.damaged("it has tables that no installation has".to_owned()));
    }
    match manifest.rows_of("users") {
        0 => Err(contents.damaged("it has no users".to_owned())),
        _ => Ok(()),
    }
}

fn is_default(table: &Table, row: &Row) -> bool {
    let cell = table.place("is_default").and_then(|place| row.get(place));
    matches!(cell, Some(Cell::Flag(true)))
}

fn undeleted(table: &Table, row: &Row) -> Option<Uuid> {
    match (row.get(table.place("id")?)?, row.get(table.place("deleted_at")?)?) {
        (Cell::Uuid(id), Cell::Int(None)) => *id,
        _ => None,
    }
}

fn module_of(table: &Table, row: &Row, handlers: &HashSet<Uuid>) -> Option<Vec<u8>> {
    match (row.get(table.place("handler_id")?)?, row.get(table.place("digest")?)?) {
        (Cell::Uuid(Some(handler)), Cell::Bytes(digest)) if handlers.contains(handler) => {
            Some(digest.clone())
        }
        _ => None,
    }
}

/// A part of an export.
enum Item {
    Keys(Keys),
    /// The number of the part comes second.
    Rows(&'static Table, u64, Vec<Row>),
    /// Its bytes have its digest.
    Module(Digest, Bytes),
}

/// A file whose sum is right, and what opens it.
struct Contents {
    /// Nothing while a thread has it, and after a failure.
    reader: Option<Reader>,
    seal: Arc<Seal>,
    manifest: Manifest,
    path: std::path::PathBuf,
}

impl Contents {
    /// Reads the manifest, then the whole file for its sum, and makes the key.
    async fn open(passphrase: &str, path: &Path) -> Result<Contents, ExportError> {
        let (passphrase, path) = (passphrase.to_owned(), path.to_owned());
        off_thread(move || {
            let none = |what: String| ExportError::NotAnExport { path: path.clone(), what };
            let mut reader = Reader::open(&path)?;
            let first = reader.next()?.filter(|entry| entry.name == MANIFEST_ENTRY);
            let text = first.ok_or_else(|| none(format!("it does not begin with {MANIFEST_ENTRY}")))?.bytes;
            let manifest = Manifest::read(&text, &path)?;
            let known = newest_migration();
            if manifest.schema != known {
                let (program, found) = (manifest.program, manifest.schema);
                return Err(ExportError::Schema { path, program, found, known });
            }
            while reader.next()?.is_some() {}
            let seal = manifest.passphrase.key(&passphrase, &text).map_err(none)?;
            reader.rewind()?;
            Ok(Contents { reader: Some(reader), seal: Arc::new(seal), manifest, path })
        })
        .await
    }

    fn rewind(&mut self) -> Result<(), ExportError> {
        self.reader.as_mut().map_or_else(|| Err(failed_before()), Reader::rewind)
    }

    fn damaged(&self, what: String) -> ExportError {
        ExportError::Damaged { path: self.path.clone(), what }
    }

    fn unsound(&self, table: &Table, what: String) -> ExportError {
        ExportError::Unsound { path: self.path.clone(), table: table.name, what }
    }

    /// The next part; nothing at the end.
    async fn next(&mut self) -> Result<Option<Item>, ExportError> {
        let mut reader = self.reader.take().ok_or_else(failed_before)?;
        let seal = Arc::clone(&self.seal);
        let (reader, item) = off_thread(move || {
            let item = next_item(&mut reader, &seal)?;
            Ok((reader, item))
        })
        .await?;
        self.reader = Some(reader);
        Ok(item)
    }
}

fn failed_before() -> ExportError {
    ExportError::Stopped("reading failed before".to_owned())
}

fn next_item(reader: &mut Reader, seal: &Seal) -> Result<Option<Item>, ExportError> {
    let mut entry = reader.next()?;
    if entry.as_ref().is_some_and(|entry| entry.position < KEYS_POSITION) {
        // The manifest, which is known.
        entry = reader.next()?;
    }
    let Some(Entry { position, name, bytes }) = entry else { return Ok(None) };
    let text = seal.open(position, &name, &bytes).ok_or_else(|| match position {
        // The file is as it was written: so it is the passphrase.
        KEYS_POSITION => ExportError::WrongPassphrase(reader.path().to_owned()),
        _ => reader.damaged(format!("`{name}` was changed")),
    })?;
    let item = item(&name, position, text);
    item.map(Some).ok_or_else(|| reader.damaged(format!("`{name}` holds nothing that an export has")))
}

fn item(name: &str, position: u64, text: Vec<u8>) -> Option<Item> {
    if position == KEYS_POSITION {
        return serde_json::from_slice(&text).ok().filter(|_| name == KEYS_ENTRY).map(Item::Keys);
    }
    if let Some(digest) = name.strip_prefix("modules/") {
        let digest: Digest = digest.parse().ok()?;
        return (Digest::of(&text) == digest).then(|| Item::Module(digest, Bytes::from(text)));
    }
    let (table, part) = name.strip_prefix("tables/")?.split_once('/')?;
    let part: u64 = part.parse().ok()?;
    let table = TABLES.iter().find(|known| known.name == table)?;
    Some(Item::Rows(table, part, rows::of_part(table, &text)?))
}
