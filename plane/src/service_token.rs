//! The secret that the two planes show each other.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::HeaderValue;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Shortest service token, in characters.
const CHARS_MIN: usize = 32;
/// Longest service token, in characters.
const CHARS_MAX: usize = 512;

/// A secret of 32 to 512 visible ASCII characters. Its `Debug` does not show it.
#[derive(Clone)]
pub struct ServiceToken(String);

/// Why a text or a file is no service token.
#[derive(Debug, thiserror::Error)]
pub enum ServiceTokenError {
    /// Too short or too long.
    #[error(
        "a service token has {CHARS_MIN} to {CHARS_MAX} characters, this one has {0}: \
         make one with `openssl rand -hex 32`"
    )]
    Length(usize),
    /// A character that a header field cannot carry.
    #[error("a service token consists of visible ASCII characters without spaces")]
    Character,
    /// The file cannot be read.
    #[error("cannot read the service token from {path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl ServiceToken {
    /// Reads a token from a file; white space around it is no part of it.
    pub fn from_file(path: &Path) -> Result<ServiceToken, ServiceTokenError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ServiceTokenError::File { path: path.to_owned(), source })?;
        text.trim().parse()
    }

    /// Whether `presented` is this token, found out in a time that says nothing about the token.
    pub fn matches(&self, presented: &str) -> bool {
        Sha256::digest(&self.0).as_slice().ct_eq(Sha256::digest(presented).as_slice()).into()
    }

    /// The value of an `Authorization` field that shows this token; marked as sensitive.
    pub fn authorization(&self) -> HeaderValue {
        // Visible ASCII only, which every field can carry: it was checked when the token was made.
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }
}

impl FromStr for ServiceToken {
    type Err = ServiceTokenError;

    fn from_str(text: &str) -> Result<ServiceToken, ServiceTokenError> {
        let chars = text.chars().count();
        if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
            return Err(ServiceTokenError::Length(chars));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServiceTokenError::Character);
        }
        Ok(ServiceToken(text.to_owned()))
    }
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_knows_itself_and_hides_itself() {
        let token: ServiceToken = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert!(token.matches("0123456789abcdef0123456789abcdef"));
        assert!(!token.matches("0123456789abcdef0123456789abcdeg"));
        assert!(!token.matches(""));
        assert!(!format!("{token:?} {:?}", token.authorization()).contains("0123"));
    }

    #[test]
    fn short_and_unprintable_tokens_are_refused() {
        assert!("short".parse::<ServiceToken>().unwrap_err().to_string().contains("has 5"));
        assert!(format!("{} {}", "a".repeat(20), "b".repeat(20)).parse::<ServiceToken>().is_err());
    }
}
