//! Tokens: JWTs signed with Ed25519, by a key that is made at the first start.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasmcloud_wire::{Timestamp, UserId};

const ISSUER: &str = "wasmcloud";
const AUDIENCE: &str = "wasmcloud-api";
/// By how much the clocks of two servers may differ, in seconds.
const LEEWAY_S: u64 = 30;

/// What a token says. Every claim has to be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub jti: Uuid,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
}

/// Why there is no key to sign tokens with.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file can be neither read nor made.
    #[error("cannot use the key file {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error(
        "{path} holds no Ed25519 key in PKCS#8: restore it from a backup, or delete it, \
         which ends every token there is",
        path = .0.display()
    )]
    NotAKey(PathBuf),
    /// The system gave no randomness.
    #[error("cannot make a key: the system gives no randomness")]
    Random,
}

/// The keys that sign and check tokens.
pub(crate) struct JwtKeys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl JwtKeys {
    /// Reads the key file, or makes it where there is none.
    pub(crate) fn load_or_create(path: &Path) -> Result<JwtKeys, KeyError> {
        let error = |source| KeyError::File { path: path.to_owned(), source };
        let pkcs8 = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                let fresh =
                    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
                create(path, fresh.as_ref()).map_err(error)?;
                // Whoever came first wins, so that two servers on one folder agree.
                fs::read(path).map_err(error)?
            }
            Err(other) => return Err(error(other)),
        };
        let mode = fs::metadata(path).map_err(error)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777),
                "others can read the key that signs tokens: chmod 600 it");
        }
        JwtKeys::from_pkcs8(&pkcs8).ok_or_else(|| KeyError::NotAKey(path.to_owned()))
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Option<JwtKeys> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Some(JwtKeys {
            encoding: EncodingKey::from_ed_der(pkcs8),
            decoding: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            validation,
        })
    }

    /// Signs a token.
    pub(crate) fn sign(
        &self,
        user: UserId,
        id: Uuid,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            jti: id,
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(expires_at),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding)
    }

    /// What a token says, if it is one of ours and its time has come and not gone. Whether it was
    /// revoked is the store's to say.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // A header that brings a key, or names where to get one, is never one that we wrote.
        let header = &data.header;
        let brings_key =
            header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
        let from_the_future = data.claims.iat > seconds(now).saturating_add(LEEWAY_S);
        (!brings_key && !from_the_future).then_some(data.claims)
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0 / 1000).unwrap_or(0)
}

/// Writes a file that only its owner can read, whole or not at all; leaves one that is there.
fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", Uuid::new_v4()));
    let fresh = path.with_file_name(name);
    let written = write_new(&fresh, bytes).and_then(|()| match fs::hard_link(&fresh, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // The temporary name goes whatever happened; if it cannot, the folder is what failed above.
    let _ = fs::remove_file(&fresh);
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
