//! How the values of settings are encrypted before they reach the database: AES-256-GCM with a random
//! nonce, bound to the handler, the name and whether it is secret, so that a value cannot be moved to
//! another row, nor be made to be shown.
//!
//! A sealed value is a version byte, the nonce (12 bytes), the ciphertext and its tag (16 bytes).

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use sha2::{Digest as _, Sha256};
use wasmcloud_wire::HandlerId;

use crate::key_file::{self, KeyError};
use crate::store::SealedSetting;

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
/// By how much a sealed value is longer than the value.
const OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// Why a sealed value cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// It was encrypted with another key.
    #[error(
        "the setting {name} was encrypted with another settings key ({found}; this server has {own}): restore \
         the key file from a backup, or let its owner set it again"
    )]
    OtherKey {
        /// The setting.
        name: String,
        /// The other key's fingerprint.
        found: String,
        /// This key's fingerprint.
        own: String,
    },
    /// It is not what was encrypted, or belongs to another row.
    #[error("the setting {name} was changed in the database: let its owner set it again")]
    Tampered {
        /// The setting.
        name: String,
    },
}

/// The key of handlers' settings.
pub(crate) struct SettingsKey {
    key: RandomizedNonceKey,
    id: String,
}

impl SettingsKey {
    /// Reads the key file, or makes it where there is none.
    pub(crate) fn load_or_create(path: &Path) -> Result<SettingsKey, KeyError> {
        let text = key_file::load_or_create(path, "the key of handlers' settings", || {
            let mut key = [0; KEY_BYTES];
            aws_lc_rs::rand::fill(&mut key).map_err(|_| KeyError::Random)?;
            Ok(format!("{}\n", hex::encode(key)).into_bytes())
        })?;
        SettingsKey::from_hex(&text).ok_or_else(|| KeyError::NotASettingsKey(path.to_owned()))
    }

    /// The key of a key file's text.
    pub(crate) fn from_hex(text: &[u8]) -> Option<SettingsKey> {
        let key: [u8; KEY_BYTES] = hex::decode(text.trim_ascii()).ok()?.try_into().ok()?;
        let digest = Sha256::new().chain_update(b"wasmcloud settings key\0").chain_update(key).finalize();
        let id = hex::encode(digest).get(..8)?.to_owned();
        Some(SettingsKey { key: RandomizedNonceKey::new(&AES_256_GCM, &key).ok()?, id })
    }

    /// The key's fingerprint, which says nothing about the key.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts a value. `None` if the system gives no randomness.
    pub(crate) fn seal(
        &self,
        handler: HandlerId,
        name: &str,
        secret: bool,
        value: &str,
    ) -> Option<SealedSetting> {
        let mut text = value.as_bytes().to_vec();
        let bound = Aad::from(bound_to(handler, name, secret));
        let nonce = self.key.seal_in_place_append_tag(bound, &mut text).ok()?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Some(SealedSetting { name: name.to_owned(), secret, key_id: self.id.clone(), sealed })
    }

    /// Decrypts a value.
    pub(crate) fn open(&self, handler: HandlerId, setting: &SealedSetting) -> Result<String, SealError> {
        let name = || setting.name.clone();
        if setting.key_id != self.id {
            return Err(SealError::OtherKey {
                name: name(),
                found: setting.key_id.clone(),
                own: self.id.clone(),
            });
        }
        self.try_open(handler, setting).ok_or_else(|| SealError::Tampered { name: name() })
    }

    fn try_open(&self, handler: HandlerId, setting: &SealedSetting) -> Option<String> {
        let (&VERSION, rest) = setting.sealed.split_first()? else { return None };
        let (nonce, text) = rest.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = Aad::from(bound_to(handler, &setting.name, setting.secret));
        let mut text = text.to_vec();
        let value = self.key.open_in_place(nonce, bound, &mut text).ok()?;
        String::from_utf8(value.to_vec()).ok()
    }
}

/// The length of a sealed value, which needs no key.
pub(crate) fn value_bytes(setting: &SealedSetting) -> usize {
    setting.sealed.len().saturating_sub(OVERHEAD_BYTES)
}

/// What a value is bound to. A name has no zero byte, and nothing follows it.
fn bound_to(handler: HandlerId, name: &str, secret: bool) -> Vec<u8> {
    let mut bound = b"wasmcloud setting\0".to_vec();
    bound.push(u8::from(secret));
    bound.extend_from_slice(handler.0.as_bytes());
    bound.extend_from_slice(name.as_bytes());
    bound
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: &str) -> SettingsKey {
        SettingsKey::from_hex(byte.repeat(KEY_BYTES).as_bytes()).unwrap()
    }

    #[test]
    fn a_value_is_read_back_and_never_encrypted_twice_alike() {
        let (key, handler) = (key("07"), HandlerId::new());
        for value in ["", "s3cret", "käse\n"] {
            let one = key.seal(handler, "API_KEY", true, value).unwrap();
            let two = key.seal(handler, "API_KEY", true, value).unwrap();
            assert_ne!(one.sealed, two.sealed);
            assert_eq!(key.open(handler, &one).unwrap(), value);
            assert_eq!(value_bytes(&one), value.len());
            assert!(
                value.is_empty() || !one.sealed.windows(value.len()).any(|part| part == value.as_bytes())
            );
            assert!(!format!("{one:?}").contains(&format!("{:?}", one.sealed)), "{one:?}");
        }
    }

    #[test]
    fn a_value_cannot_be_moved_changed_or_made_to_be_shown() {
        let (key, handler) = (key("07"), HandlerId::new());
        let sealed = key.seal(handler, "API_KEY", true, "s3cret").unwrap();
        let refused = |handler, setting: &SealedSetting| {
            matches!(key.open(handler, setting), Err(SealError::Tampered { .. }))
        };
        assert!(refused(HandlerId::new(), &sealed), "another handler's row");
        assert!(refused(handler, &SealedSetting { name: "DEBUG".to_owned(), ..sealed.clone() }));
        assert!(refused(handler, &SealedSetting { secret: false, ..sealed.clone() }));
        for index in 0..sealed.sealed.len() {
            let mut changed = sealed.clone();
            changed.sealed[index] ^= 1;
            assert!(refused(handler, &changed), "byte {index}");
            changed.sealed.truncate(index);
            assert!(refused(handler, &changed), "cut at {index}");
        }
    }

    #[test]
    fn another_key_is_named_by_its_fingerprint() {
        let (one, other, handler) = (key("07"), key("08"), HandlerId::new());
        let sealed = one.seal(handler, "API_KEY", true, "s3cret").unwrap();
        let error = other.open(handler, &sealed).unwrap_err().to_string();
        assert!(
            error.contains(one.id()) && error.contains(other.id()) && error.contains("API_KEY"),
            "{error}"
        );
        assert!(!error.contains("s3cret"));
    }

    #[test]
    fn the_key_file_is_made_once_and_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings-key");
        let made = SettingsKey::load_or_create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SettingsKey::load_or_create(&path).unwrap().id(), made.id());
        for text in ["", "0707", "no hex digits at all"] {
            std::fs::write(&path, text).unwrap();
            let error = SettingsKey::load_or_create(&path).err().unwrap();
            assert!(matches!(error, KeyError::NotASettingsKey(_)), "{text:?}: {error}");
        }
    }
}
