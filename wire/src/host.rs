//! The name of a host that is routed to handlers.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest host name, in bytes (RFC 1035 section 2.3.4).
pub const HOST_BYTES_MAX: usize = 253;
/// Longest label of a host name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A host name of at least two labels, in lower case, without a final dot: `api.example.com`. Never an address, a
/// port or a wildcard. Other scripts are written in their ASCII form (`xn--…`, RFC 5890).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// A text that is no [`HostName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host name: write it like api.example.com, without scheme, port or path")]
pub struct HostNameError(String);

impl HostName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<HostName, HostNameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=LABEL_BYTES_MAX).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = name.len() <= HOST_BYTES_MAX && name.contains('.') && name.split('.').all(label);
        match is_name && name.parse::<Ipv4Addr>().is_err() {
            true => Ok(HostName(name)),
            false => Err(HostNameError(text.chars().take(HOST_BYTES_MAX).collect())),
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = HostNameError;

    fn try_from(text: String) -> Result<HostName, HostNameError> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(host: HostName) -> String {
        host.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_form() {
        for text in ["api.example.com", "API.Example.com", "api.example.com."] {
            assert_eq!(text.parse::<HostName>().unwrap().as_str(), "api.example.com");
        }
    }

    #[test]
    fn what_is_no_host_name_says_how_one_looks() {
        let long = format!("{}.com", "a".repeat(64));
        for text in [
            "",
            "localhost",
            ".",
            "a..b",
            "-a.b",
            "a-.b",
            "10.0.0.1",
            "[::1]",
            "a.b:80",
            "*.a.b",
            "a_b.c",
            &long,
        ] {
            let error = text.parse::<HostName>().unwrap_err().to_string();
            assert!(error.contains("api.example.com"), "{text}: {error}");
        }
    }
}
