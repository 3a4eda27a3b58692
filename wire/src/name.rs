//! Names and ids, parsed once.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Shortest handler or user name, in bytes.
pub const NAME_BYTES_MIN: usize = 3;
/// Longest handler or user name, in bytes.
pub const NAME_BYTES_MAX: usize = 40;

/// Names that no user may take: they would be mistaken for nobody, or for the platform itself.
const RESERVED_USERS: &[&str] = &["null", "undefined", "wasmcloud"];

/// Names that no handler may take: their address would be mistaken for the platform's own.
const RESERVED_HANDLERS: &[&str] = &[
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "app",
    "apps",
    "assets",
    "auth",
    "autoconfig",
    "billing",
    "blog",
    "cdn",
    "dashboard",
    "dev",
    "dns",
    "docs",
    "edge",
    "executor",
    "ftp",
    "help",
    "hostmaster",
    "imap",
    "internal",
    "localhost",
    "login",
    "mail",
    "metrics",
    "null",
    "panel",
    "pop3",
    "postmaster",
    "root",
    "security",
    "smtp",
    "staging",
    "static",
    "status",
    "support",
    "system",
    "undefined",
    "wasmcloud",
    "webmaster",
    "well-known",
    "wpad",
    "www",
];

/// Why a text is not a name; the message says what a name looks like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Too short or too long.
    #[error("`{0}` is too short or too long: a name has {NAME_BYTES_MIN} to {NAME_BYTES_MAX} characters")]
    Length(String),
    /// A character that a host name cannot carry.
    #[error("`{0}` is not a name: use lower-case letters a-z, digits and `-`")]
    Character(String),
    /// A dash at an end, or two in a row, which is how a version is pinned (`v3--name`).
    #[error("`{0}` is not a name: `-` may stand neither first nor last nor twice in a row")]
    Dash(String),
    /// A name that the platform keeps for itself.
    #[error("`{0}` is reserved: choose another name")]
    Reserved(String),
}

fn check_label(text: &str, reserved: &[&str]) -> Result<(), NameError> {
    let own = || text.chars().take(64).collect::<String>();
    if text.len() < NAME_BYTES_MIN || text.len() > NAME_BYTES_MAX {
        return Err(NameError::Length(own()));
    }
    if !text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(NameError::Character(own()));
    }
    if text.starts_with('-') || text.ends_with('-') || text.contains("--") {
        return Err(NameError::Dash(own()));
    }
    if reserved.contains(&text) {
        return Err(NameError::Reserved(own()));
    }
    Ok(())
}

macro_rules! label_newtype {
    ($(#[$doc:meta])* $name:ident, $reserved:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<$name, NameError> {
                check_label(text, $reserved)?;
                Ok($name(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<$name, NameError> {
                check_label(&text, $reserved)?;
                Ok($name(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

label_newtype! {
    /// A handler's name: one DNS label, `[a-z0-9-]{3,40}`, unique on an installation.
    HandlerName, RESERVED_HANDLERS
}

label_newtype! {
    /// A user's name, by the same rules as a handler's.
    UserName, RESERVED_USERS
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUIDv7: sorted by the time of its making).
            #[expect(clippy::new_without_default, reason = "a default value that differs each time would surprise")]
            pub fn new() -> $name {
                $name(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<$name, uuid::Error> {
                Uuid::parse_str(text).map($name)
            }
        }
    };
}

uuid_newtype! {
    /// A handler's id. A deleted handler's successor of the same name has another.
    HandlerId
}

uuid_newtype! {
    /// A user's id.
    UserId
}

uuid_newtype! {
    /// An invocation's id: in the response header `Wasmcloud-Invocation`, in logs and the receipt.
    InvocationId
}

/// A version's number within its handler: 1, 2, 3…
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNumber(pub u32);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_host_can_carry_are_taken() {
        for text in ["abc", "one-of-cups-4711", &"a".repeat(40), "0-0"] {
            assert_eq!(text.parse::<HandlerName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn other_names_are_refused_with_the_rule() {
        let long = "a".repeat(41);
        for (text, rule) in [
            ("", "too short or too long: a name has 3 to 40"),
            ("ab", "3 to 40"),
            (long.as_str(), "3 to 40"),
            ("Hello", "lower-case"),
            ("a_b", "lower-case"),
            ("käse", "lower-case"),
            ("a.b.c", "lower-case"),
            ("-abc", "first nor last"),
            ("abc-", "first nor last"),
            ("v3--abc", "twice in a row"),
            ("www", "reserved"),
            ("admin", "reserved"),
        ] {
            let error = text.parse::<HandlerName>().unwrap_err().to_string();
            assert!(error.contains(rule), "{text}: {error}");
        }
    }

    #[test]
    fn the_first_user_may_be_called_admin() {
        assert_eq!("admin".parse::<UserName>().unwrap().as_str(), "admin");
    }

    #[test]
    fn a_name_is_checked_in_json_too() {
        assert!(serde_json::from_str::<HandlerName>("\"hello\"").is_ok());
        assert!(serde_json::from_str::<HandlerName>("\"../etc\"").is_err());
    }
}
