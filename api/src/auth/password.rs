//! Passwords: argon2id, two at a time, and the same work for a user who does not exist.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::ApiError;

/// Shortest password, in bytes.
pub(crate) const BYTES_MIN: usize = 10;
/// Longest password, in bytes.
pub(crate) const BYTES_MAX: usize = 256;
/// Memory of one hash, in KiB; with two passes and one lane, OWASP's recommendation.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SALT_BYTES: usize = 16;
/// How many hashes are computed at once.
const CONCURRENCY_MAX: usize = 2;
/// How long a login waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of a password that nobody has.
    nobody: String,
}

/// Why a password could not be hashed; never the password's fault.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash a password: {0}")]
pub(crate) struct HashError(String);

impl Passwords {
    pub(crate) fn new() -> Result<Passwords, HashError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| HashError(error.to_string()))?;
        Ok(Passwords {
            turns: Arc::new(Semaphore::new(CONCURRENCY_MAX)),
            nobody: hash(&hex::encode(secret))?,
        })
    }

    /// The hash of a new password as a PHC string; 422 if the password is too short or too long.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        if !(BYTES_MIN..=BYTES_MAX).contains(&password.len()) {
            return Err(ApiError::new(
                422,
                "invalid_password",
                format!("a password has {BYTES_MIN} to {BYTES_MAX} bytes, this one has {}", password.len()),
                "choose another password",
            ));
        }
        self.in_turn(move || hash(&password)).await?.map_err(ApiError::internal)
    }

    /// Whether a password belongs to a hash. Without a hash it is as much work, and false.
    pub(crate) async fn verify(&self, password: String, known: Option<String>) -> Result<bool, ApiError> {
        // Nobody's password is longer, so nobody has to wait for a megabyte to be hashed.
        let exists = known.is_some() && password.len() <= BYTES_MAX;
        let password = if password.len() <= BYTES_MAX { password } else { String::new() };
        let phc = known.unwrap_or_else(|| self.nobody.clone());
        let matches = self.in_turn(move || verify(&password, &phc)).await?.map_err(ApiError::internal)?;
        Ok(matches && exists)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turn = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| ApiError::unavailable("too many passwords are waiting to be hashed"))?
            .map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(ApiError::internal)
    }
}

fn argon2() -> Result<Argon2<'static>, HashError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| HashError(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash(password: &str) -> Result<String, HashError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| HashError(error.to_string()))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| HashError(error.to_string()))?;
    let hashed =
        argon2()?.hash_password(password.as_bytes(), &salt).map_err(|error| HashError(error.to_string()))?;
    Ok(hashed.to_string())
}

fn verify(password: &str, phc: &str) -> Result<bool, HashError> {
    let parsed = PasswordHash::new(phc).map_err(|error| HashError(error.to_string()))?;
    match argon2()?.verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(HashError(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let phc = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(passwords.verify("correct horse".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("battery staple".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("x".repeat(1000), Some(phc)).await.unwrap());
        assert!(!passwords.verify("correct horse".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_long_passwords_are_refused() {
        let passwords = Passwords::new().unwrap();
        for password in ["123456789".to_owned(), "x".repeat(257)] {
            assert_eq!(passwords.hash(password).await.unwrap_err().code, "invalid_password");
        }
    }
}
