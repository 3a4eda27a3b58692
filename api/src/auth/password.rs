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
/// The most that a hash may ask for to be checked: a few times as much work as this program's own. A hash that comes
/// from elsewhere, in a database or an export, could ask for all of this machine's memory.
const MEMORY_KIB_MAX: u32 = 65_536;
const PASSES_MAX: u32 = 4;
const LANES_MAX: u32 = 4;
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

/// Why a stored hash is not computed.
#[derive(Debug, thiserror::Error)]
#[error("the password hash is not taken: {0}")]
pub(crate) struct HashRefused(String);

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

    /// Whether a password belongs to the hash of this user. Without a hash it is as much work, and false; and so it
    /// is with one that [`check_hash`] refuses, which is logged.
    pub(crate) async fn verify(
        &self,
        user: &str,
        password: String,
        known: Option<String>,
    ) -> Result<bool, ApiError> {
        let known = known.filter(|phc| match check_hash(phc) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(user.name = user, %error, "a user cannot log in");
                false
            }
        });
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

/// Whether a PHC string can be checked with a bounded amount of work: argon2id with no more memory, passes and lanes
/// than this program takes. What is wrong otherwise, without the hash.
pub(crate) fn check_hash(phc: &str) -> Result<(), HashRefused> {
    let unreadable = |error: argon2::password_hash::Error| HashRefused(error.to_string());
    let parsed = PasswordHash::new(phc).map_err(unreadable)?;
    let algorithm = Algorithm::try_from(parsed.algorithm).map_err(unreadable)?;
    if algorithm != Algorithm::Argon2id || parsed.hash.is_none() || parsed.salt.is_none() {
        return Err(HashRefused("it is no whole argon2id hash".to_owned()));
    }
    let params = Params::try_from(&parsed).map_err(unreadable)?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory > MEMORY_KIB_MAX || passes > PASSES_MAX || lanes > LANES_MAX {
        return Err(HashRefused(format!(
            "it asks for {memory} KiB, {passes} passes and {lanes} lanes; at most {MEMORY_KIB_MAX} KiB, \
             {PASSES_MAX} passes and {LANES_MAX} lanes are taken"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Mutex;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    use super::*;

    /// What is logged, a line an event.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.0.push_str(&format!(" {field}={value:?}"));
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() == Level::ERROR
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    /// A password's hash with other parameters.
    fn hash_with(password: &str, algorithm: Algorithm, memory: u32, passes: u32, lanes: u32) -> String {
        let params = Params::new(memory, passes, lanes, None).unwrap();
        let argon2 = Argon2::new(algorithm, Version::V0x13, params);
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        argon2.hash_password(password.as_bytes(), &salt).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_hash_that_asks_for_too_much_is_not_computed_and_its_user_is_named() {
        let passwords = Passwords::new().unwrap();
        let password = "correct horse";
        let log = Log::default();
        let _logged = tracing::subscriber::set_default(log.clone());
        let least = 8 * (LANES_MAX + 1);
        let hostile =
            "$argon2id$v=19$m=3145728,t=50,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA".to_owned();
        for phc in [
            hash_with(password, Algorithm::Argon2id, MEMORY_KIB_MAX + 1, 1, 1),
            hash_with(password, Algorithm::Argon2id, least, PASSES_MAX + 1, 1),
            hash_with(password, Algorithm::Argon2id, least, 1, LANES_MAX + 1),
            hash_with(password, Algorithm::Argon2d, least, 1, 1),
            hostile,
            "$argon2id$of-somebody".to_owned(),
            String::new(),
        ] {
            log.0.lock().unwrap().clear();
            assert!(
                !passwords.verify("mallory", password.to_owned(), Some(phc.clone())).await.unwrap(),
                "{phc}"
            );
            let lines = log.0.lock().unwrap().clone();
            assert!(
                lines.len() == 1 && lines[0].contains("mallory") && lines[0].contains("ERROR"),
                "{lines:?}"
            );
            assert!(!lines[0].contains("AAAAAAAA"), "{lines:?}");
        }
        log.0.lock().unwrap().clear();
        let within = hash_with(password, Algorithm::Argon2id, least, PASSES_MAX, LANES_MAX);
        assert!(passwords.verify("ada", password.to_owned(), Some(within)).await.unwrap());
        assert_eq!(*log.0.lock().unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::new().unwrap();
        let phc = passwords.hash("correct horse".to_owned()).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(passwords.verify("ada", "correct horse".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("ada", "battery staple".to_owned(), Some(phc.clone())).await.unwrap());
        assert!(!passwords.verify("ada", "x".repeat(1000), Some(phc)).await.unwrap());
        assert!(!passwords.verify("ada", "correct horse".to_owned(), None).await.unwrap());
    }

    #[tokio::test]
    async fn short_and_long_passwords_are_refused() {
        let passwords = Passwords::new().unwrap();
        for password in ["123456789".to_owned(), "x".repeat(257)] {
            assert_eq!(passwords.hash(password).await.unwrap_err().code, "invalid_password");
        }
    }
}
