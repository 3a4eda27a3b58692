//! How entries are sealed: a key made of the passphrase by Argon2id, then AES-256-GCM with a random nonce. An entry
//! is bound to the manifest, to its position and to its name, so that none can be moved, renamed, left out or
//! taken from another export.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ExportError;

/// What a key is made with: RFC 9106's recommendation where memory is not plentiful.
const MEMORY_KIB: u32 = 65_536;
const PASSES: u32 = 3;
const LANES: u32 = 4;
/// The most that a file may ask for: about ten times as much work as this program's own.
const MEMORY_KIB_MAX: u32 = 262_144;
const PASSES_MAX: u32 = 8;
const LANES_MAX: u32 = 16;
const SALT_BYTES: usize = 16;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// How a key is made of a passphrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivation {
    algorithm: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: String,
}

impl Derivation {
    /// This program's own, with a new salt.
    pub fn fresh() -> Result<Derivation, ExportError> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| ExportError::Random)?;
        Ok(Derivation {
            algorithm: "argon2id".to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: hex::encode(salt),
        })
    }

    /// Makes the key; about a third of a second. Where nothing could be made of it, or it would take too long or
    /// too much memory, why.
    pub fn key(&self, passphrase: &str, manifest: &[u8]) -> Result<Seal, String> {
        let too_much = self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX || self.lanes > LANES_MAX;
        if self.algorithm != "argon2id" || too_much {
            let Derivation { algorithm, memory_kib, passes, lanes, .. } = self;
            return Err(format!(
                "it asks for {algorithm} with {memory_kib} KiB, {passes} passes and {lanes} lanes, which no \
                 export does"
            ));
        }
        let salt = hex::decode(&self.salt).ok().filter(|salt| salt.len() == SALT_BYTES);
        let salt = salt.ok_or("its salt is none")?;
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(KEY_BYTES));
        let argon2 =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|error| error.to_string())?);
        let mut key = [0; KEY_BYTES];
        let made = argon2.hash_password_into(passphrase.as_bytes(), &salt, &mut key);
        made.map_err(|error| error.to_string())?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| "no key can be made of it")?;
        Ok(Seal { key, manifest: Sha256::digest(manifest).into() })
    }
}

/// What entries are sealed and opened with.
pub struct Seal {
    key: RandomizedNonceKey,
    manifest: [u8; 32],
}

impl Seal {
    /// Encrypts an entry: the nonce, the text and its tag.
    pub fn seal(&self, position: u64, name: &str, text: &[u8]) -> Result<Vec<u8>, ExportError> {
        let mut sealed = text.to_vec();
        let nonce = self.key.seal_in_place_append_tag(self.bound(position, name), &mut sealed);
        let nonce = nonce.map_err(|_| ExportError::Random)?;
        sealed.splice(..0, nonce.as_ref().iter().copied());
        Ok(sealed)
    }

    /// Decrypts an entry; nothing if it is not what was sealed there.
    pub fn open(&self, position: u64, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = text.to_vec();
        let length = self.key.open_in_place(nonce, self.bound(position, name), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    fn bound(&self, position: u64, name: &str) -> Aad<Vec<u8>> {
        let mut bound = b"wasmcloud export\0".to_vec();
        bound.extend_from_slice(&self.manifest);
        bound.extend_from_slice(&position.to_be_bytes());
        bound.extend_from_slice(name.as_bytes());
        Aad::from(bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_opens_in_its_own_place_of_its_own_export_alone() {
        let derivation = Derivation::fresh().unwrap();
        let seal = derivation.key("correct horse", b"manifest").unwrap();
        let sealed = seal.seal(3, "keys", b"secret").unwrap();
        assert_ne!(sealed, seal.seal(3, "keys", b"secret").unwrap(), "never twice alike");
        assert_eq!(seal.open(3, "keys", &sealed).as_deref(), Some(&b"secret"[..]));
        assert!(seal.open(4, "keys", &sealed).is_none(), "moved");
        assert!(seal.open(3, "key", &sealed).is_none(), "renamed");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(seal.open(3, "keys", &changed).is_none(), "byte {index}");
            assert!(seal.open(3, "keys", &sealed[..index]).is_none(), "cut at {index}");
        }
        for (passphrase, manifest) in [("correct house", "manifest"), ("correct horse", "Manifest")] {
            let other = derivation.key(passphrase, manifest.as_bytes()).unwrap();
            assert!(other.open(3, "keys", &sealed).is_none(), "{passphrase}, {manifest}");
        }
    }

    #[test]
    fn what_asks_for_too_much_is_not_begun() {
        let fresh = Derivation::fresh().unwrap();
        for hostile in [
            Derivation { memory_kib: MEMORY_KIB_MAX + 1, ..fresh.clone() },
            Derivation { passes: PASSES_MAX + 1, ..fresh.clone() },
            Derivation { lanes: LANES_MAX + 1, ..fresh.clone() },
            Derivation { memory_kib: 1, ..fresh.clone() },
            Derivation { passes: 0, ..fresh.clone() },
            Derivation { lanes: 0, ..fresh.clone() },
            Derivation { algorithm: "none".to_owned(), ..fresh.clone() },
            Derivation { salt: String::new(), ..fresh.clone() },
            Derivation { salt: "00".repeat(1 << 20), ..fresh.clone() },
        ] {
            assert!(hostile.key("correct horse", b"").is_err(), "{} {}", hostile.memory_kib, hostile.passes);
        }
    }
}
