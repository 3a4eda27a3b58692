//! A handler's own settings: which may reach a program, beside the variables that CGI owns.

use std::collections::{BTreeMap, BTreeSet};

use wasmcloud_wire::limits::{ENV_BYTES_MAX, ENV_ENTRIES_MAX, ENV_ENTRY_BYTES_MAX};

/// Names that the platform sets, or that programs believe a server to have set (RFC 3875 section
/// 4.1, and what Apache adds). `HTTP_*` is reserved as a whole.
const RESERVED: [&str; 24] = [
    "AUTH_TYPE",
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "GATEWAY_INTERFACE",
    "HTTPS",
    "PATH_INFO",
    "PATH_TRANSLATED",
    "QUERY_STRING",
    "REMOTE_ADDR",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_PORT",
    "REMOTE_USER",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "RUN_ID",
    "SCRIPT_FILENAME",
    "SCRIPT_NAME",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "WORKER_ID",
];

/// Why a handler's environment is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvError {
    /// More variables than [`ENV_ENTRIES_MAX`].
    #[error(
        "{count} variables are more than the {ENV_ENTRIES_MAX} that a handler may have; remove some, or put several values into one"
    )]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// One variable is larger than [`ENV_ENTRY_BYTES_MAX`].
    #[error(
        "variable `{name}` has {bytes} bytes with its name, more than the {ENV_ENTRY_BYTES_MAX} that one may have; shorten it"
    )]
    EntryTooLarge {
        /// The variable's name, shortened.
        name: String,
        /// The bytes of name and value.
        bytes: usize,
    },
    /// All together are larger than [`ENV_BYTES_MAX`].
    #[error(
        "the variables have {bytes} bytes with their names, more than the {ENV_BYTES_MAX} that a handler may have; shorten or remove some"
    )]
    TooLarge {
        /// The bytes of all names and values.
        bytes: usize,
    },
    /// A name that is no variable's name.
    #[error("`{name}` is no name of a variable: use letters, digits and `_`, and no digit first")]
    Name {
        /// The name, escaped and shortened.
        name: String,
    },
    /// A name that belongs to CGI or to the platform, whatever its case.
    #[error(
        "variable `{name}` is reserved: the platform sets it, or a program would take it for a part of the request; choose another name, such as `APP_{name}`"
    )]
    Reserved {
        /// The name.
        name: String,
    },
    /// Two names that differ only in case, which RFC 3875 section 4.1 forbids.
    #[error(
        "variables `{first}` and `{second}` differ only in the case of their letters; remove or rename one"
    )]
    SameButForCase {
        /// The one name.
        first: String,
        /// The other name.
        second: String,
    },
    /// A value with a NUL byte, which no environment can carry.
    #[error(
        "the value of variable `{name}` has a NUL byte; remove it, or encode the value, for example in base64"
    )]
    Nul {
        /// The name.
        name: String,
    },
}

/// Checks a handler's own environment against the limits and the names that are reserved.
///
/// # Errors
///
/// The first thing that is wrong with it, in the order of the names.
pub fn check_env(env: &BTreeMap<String, String>) -> Result<(), EnvError> {
    if env.len() > ENV_ENTRIES_MAX {
        return Err(EnvError::TooMany { count: env.len() });
    }
    let mut bytes_total = 0;
    let mut upper_case = BTreeSet::new();
    for (name, value) in env {
        let bytes = name.len() + value.len();
        bytes_total += bytes;
        if !is_name(name) {
            return Err(EnvError::Name { name: crate::escape::quote(name.as_bytes()) });
        }
        if bytes > ENV_ENTRY_BYTES_MAX {
            return Err(EnvError::EntryTooLarge { name: crate::escape::quote(name.as_bytes()), bytes });
        }
        if is_reserved(name) {
            return Err(EnvError::Reserved { name: name.clone() });
        }
        if value.contains('\0') {
            return Err(EnvError::Nul { name: name.clone() });
        }
        if !upper_case.insert(name.to_ascii_uppercase()) {
            return Err(same_but_for_case(env, name));
        }
    }
    if bytes_total > ENV_BYTES_MAX {
        return Err(EnvError::TooLarge { bytes: bytes_total });
    }
    Ok(())
}

fn same_but_for_case(env: &BTreeMap<String, String>, name: &str) -> EnvError {
    let other = env.keys().find(|other| *other != name && other.eq_ignore_ascii_case(name));
    EnvError::SameButForCase { first: other.cloned().unwrap_or_default(), second: name.to_owned() }
}

/// Whether a setting may become a variable. A stored environment was checked when it was set; this
/// is what holds where it was not.
pub(crate) fn may_pass(name: &str, value: &str) -> bool {
    is_name(name) && !is_reserved(name) && !value.contains('\0')
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Compares without regard to case: RFC 3875 leaves a program free to.
fn is_reserved(name: &str) -> bool {
    name.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("HTTP_"))
        || RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name))
}
