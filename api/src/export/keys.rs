//! The installation's keys, which an export has sealed, and what becomes of them where they are put.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmcloud_wire::HandlerId;

use super::{ExportError, Installation};
use crate::KeyError;
use crate::auth::JwtKeys;
use crate::key_file;
use crate::sealing::SettingsKey;
use crate::store::{Cell, Row, SealedSetting, Table};

/// The entry of the keys.
pub const KEYS_ENTRY: &str = "keys";

/// The keys of an installation, in hexadecimal digits. They do not show themselves.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The key that signs tokens, as its file has it.
    token_key: String,
    /// The text of the settings key's file, where there is one.
    settings_key: Option<String>,
}

impl Keys {
    /// Reads the key files. The settings key may be missing where there are no settings.
    pub fn read(place: &Installation, settings: u64) -> Result<Keys, ExportError> {
        let token_key = read(&place.jwt_key_file)?.ok_or_else(|| missing(&place.jwt_key_file))?;
        if JwtKeys::from_pkcs8(&token_key).is_none() {
            return Err(KeyError::NotAKey(place.jwt_key_file.clone()).into());
        }
        let settings_key = read(&place.settings_key_file)?;
        match &settings_key {
            None if settings > 0 => return Err(missing(&place.settings_key_file)),
            Some(text) if SettingsKey::from_hex(text).is_none() => {
                return Err(KeyError::NotASettingsKey(place.settings_key_file.clone()).into());
            }
            _ => {}
        }
        Ok(Keys { token_key: hex::encode(token_key), settings_key: settings_key.map(hex::encode) })
    }

    /// Writes the keys where there are none yet.
    pub fn put(&self, place: &Installation) -> Result<Placed, ExportError> {
        let mut placed = Placed { made: Vec::new(), tokens_are_good: false, from: None, to: None };
        let exported = hex::decode(&self.token_key).map_err(|_| damaged_keys())?;
        let there = placed.put(&place.jwt_key_file, "the key that signs tokens", &exported)?;
        placed.tokens_are_good = there == exported;
        if let Some(text) = &self.settings_key {
            let exported = hex::decode(text).map_err(|_| damaged_keys())?;
            let path = &place.settings_key_file;
            let there = placed.put(path, "the key of handlers' settings", &exported)?;
            placed.from = SettingsKey::from_hex(&exported);
            let to = SettingsKey::from_hex(&there);
            placed.to = Some(to.ok_or_else(|| KeyError::NotASettingsKey(path.clone()))?);
        }
        Ok(placed)
    }
}

/// Keys that are where they belong. Dropped before [`Placed::keep`], those that were not there before are gone.
pub struct Placed {
    made: Vec<PathBuf>,
    /// Whether the key that signs tokens is the exported one.
    pub tokens_are_good: bool,
    from: Option<SettingsKey>,
    to: Option<SettingsKey>,
}

/// What became of the settings of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Encrypted with another key than before.
    pub resealed: u64,
    /// Readable neither before nor now.
    pub unreadable: u64,
}

impl Placed {
    fn put(&mut self, path: &Path, what: &str, bytes: &[u8]) -> Result<Vec<u8>, ExportError> {
        let was_there = path.exists();
        let there = key_file::load_or_create(path, what, || Ok(bytes.to_vec()))?;
        if !was_there {
            self.made.push(path.to_owned());
        }
        Ok(there)
    }

    /// Leaves the keys where they are.
    pub fn keep(mut self) {
        self.made.clear();
    }

    /// Encrypts settings with the key that is there now. What cannot be read stays as it is.
    pub fn reseal(&self, table: &Table, rows: &mut [Row]) -> Resealed {
        let mut done = Resealed::default();
        let (Some(from), Some(to)) = (&self.from, &self.to) else { return done };
        for row in rows {
            let Some((handler, setting)) = setting(table, row) else { continue };
            let Ok(value) = from.open(handler, &setting) else {
                done.unreadable += 1;
                continue;
            };
            if from.id() == to.id() {
                continue;
            }
            if let Some(sealed) = to.seal(handler, &setting.name, setting.secret, &value) {
                set(table, row, "key_id", Cell::Text(Some(sealed.key_id)));
                set(table, row, "sealed", Cell::Bytes(sealed.sealed));
                done.resealed += 1;
            } else {
                done.unreadable += 1;
            }
        }
        done
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.made {
            // What cannot be removed is found by the next import, and is the same key then.
            let _ = fs::remove_file(path);
        }
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ExportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyError::File { path: path.to_owned(), source }.into()),
    }
}

fn missing(path: &Path) -> ExportError {
    ExportError::KeyMissing(path.to_owned())
}

/// Sealed by somebody who knows the passphrase, and not by an export.
fn damaged_keys() -> ExportError {
    ExportError::Stopped("the exported keys are no hexadecimal digits".to_owned())
}

fn setting(table: &Table, row: &Row) -> Option<(HandlerId, SealedSetting)> {
    let cell = |name: &str| row.get(table.place(name)?);
    match (cell("handler_id")?, cell("name")?, cell("secret")?, cell("key_id")?, cell("sealed")?) {
        (
            Cell::Uuid(Some(handler)),
            Cell::Text(Some(name)),
            Cell::Flag(secret),
            Cell::Text(Some(key_id)),
            Cell::Bytes(sealed),
        ) => {
            let (name, key_id, sealed) = (name.clone(), key_id.clone(), sealed.clone());
            Some((HandlerId(*handler), SealedSetting { name, secret: *secret, key_id, sealed }))
        }
        _ => None,
    }
}

fn set(table: &Table, row: &mut Row, column: &str, value: Cell) {
    if let Some(cell) = table.place(column).and_then(|place| row.get_mut(place)) {
        *cell = value;
    }
}
