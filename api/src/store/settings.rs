//! What the store is told, and tells, of handlers' settings. It keeps values sealed and cannot read them.

use std::fmt;

use wasmcloud_wire::{HandlerId, Inspection, Timestamp};

use super::Unfit;

/// A setting whose value is encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSetting {
    /// The variable's name.
    pub name: String,
    /// Whether its owner is never shown the value again.
    pub secret: bool,
    /// The fingerprint of the key that the value is encrypted with.
    pub key_id: String,
    /// The encrypted value.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSetting")
            .field("name", &self.name)
            .field("secret", &self.secret)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// A setting as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    /// The setting.
    pub setting: SealedSetting,
    /// When it was set.
    pub updated_at: Timestamp,
}

/// A handler's settings, by name, and what its live version is.
#[derive(Clone, Debug)]
pub struct HandlerSettings {
    /// The handler.
    pub handler: HandlerId,
    /// Its settings.
    pub rows: Vec<SettingRow>,
    /// Its live module.
    pub live: Inspection,
}

/// Changes of a handler's settings. What is unset goes before what is set comes.
#[derive(Clone, Debug, Default)]
pub struct SettingChanges {
    /// To be set, whether there or not.
    pub set: Vec<SealedSetting>,
    /// Names to be removed.
    pub unset: Vec<String>,
}

/// What is to change, given what there is, or why nothing does.
pub type SettingsEdit<'a> =
    dyn Fn(HandlerId, &[SettingRow]) -> Result<SettingChanges, Unfit> + Send + Sync + 'a;

/// What became of settings that were to be changed.
#[derive(Clone, Debug)]
pub enum EditSettings {
    /// They are changed, and these now.
    Changed(Box<HandlerSettings>),
    /// The edit refused; nothing changed.
    Refused(Unfit),
    /// The user has no such handler.
    HandlerNotFound,
}

/// How many settings there are in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingCounts {
    /// All of them.
    pub all: u64,
    /// Those that are encrypted with another key.
    pub of_other_keys: u64,
}
