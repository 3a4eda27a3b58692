//! The secret that the two planes share.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::service_keys::LIVE_TOKENS_MAX;

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
    /// A space within it, or a character that is no visible ASCII.
    #[error("a service token consists of visible ASCII characters without spaces")]
    Character,
    /// The file has none, or too many.
    #[error(
        "a service token file has one token, or while it is changed {LIVE_TOKENS_MAX}, one a line; this one has {0}"
    )]
    Count(usize),
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
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
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
    fn a_token_hides_itself() {
        let token: ServiceToken = "0123456789abcdef0123456789abcdef".parse().unwrap();
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn short_and_unprintable_tokens_are_refused() {
        assert!("short".parse::<ServiceToken>().unwrap_err().to_string().contains("has 5"));
        assert!(format!("{} {}", "a".repeat(20), "b".repeat(20)).parse::<ServiceToken>().is_err());
    }
}
