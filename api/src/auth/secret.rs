//! Secrets that somebody is given once, and that are kept as hashes only: of sessions, invitations, resets, steps.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Randomness of a secret, in bytes: nobody guesses one, so a fast hash is enough.
const SECRET_BYTES: usize = 32;

/// A secret in lower-case hexadecimal. It does not show itself.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    /// A new one.
    pub(crate) fn new() -> Result<Secret, getrandom::Error> {
        let mut random = [0; SECRET_BYTES];
        getrandom::fill(&mut random)?;
        Ok(Secret(hex::encode(random)))
    }

    /// What is kept of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        hash_of(&self.0)
    }

    /// The secret itself, for whoever it is made for.
    pub(crate) fn reveal(self) -> String {
        self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What is kept of a secret that somebody holds.
pub(crate) fn hash_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.trim()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_are_the_same_and_none_shows_itself() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert_ne!(one.hash(), other.hash());
        assert_eq!(format!("{one:?}"), "[redacted]");
        let hash = one.hash();
        let text = one.reveal();
        assert_eq!((text.len(), hash_of(&format!(" {text}\n"))), (64, hash));
    }
}
