//! Who is asking: signed tokens, passwords, and how often one may try.

mod jwt;
mod limiter;
mod password;
mod secret;

pub(crate) use jwt::JwtKeys;
pub(crate) use limiter::{LoginLimiter, Tries, Windows, network};
pub(crate) use password::{Passwords, check_hash};
pub(crate) use secret::{Secret, hash_of};

use std::fmt;

use uuid::Uuid;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{Scope, User};

use crate::store::Grounds;

/// Whoever makes a request, known by a token that is signed, current and not revoked, or by a session.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user that it speaks for.
    pub user: User,
    /// What it is known by.
    pub via: Via,
    /// What the request may do.
    pub scopes: Vec<Scope>,
    /// The handlers that it is limited to; all if absent.
    pub handlers: Option<Vec<HandlerName>>,
}

impl Caller {
    /// Whether it has this scope.
    pub(crate) fn has(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|scope| scope.covers(wanted))
    }

    /// Whether it is not limited to some handlers, or this is one of them.
    pub(crate) fn reaches(&self, handler: &HandlerName) -> bool {
        self.handlers.as_ref().is_none_or(|handlers| handlers.contains(handler))
    }
}

/// What somebody is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// A token with this id.
    Token(Uuid),
    /// A session of the panel with this id.
    Session(Uuid),
}

impl Via {
    /// What it is for the store.
    pub(crate) fn grounds(self) -> Grounds {
        match self {
            Via::Token(id) => Grounds::Token(id),
            Via::Session(id) => Grounds::Session(id),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Via::Token(id) => write!(f, "token {id}"),
            Via::Session(id) => write!(f, "session {id}"),
        }
    }
}

/// What an `Authorization` field says.
pub(crate) enum Credential<'a> {
    /// A token.
    Bearer(&'a str),
    /// A session's secret.
    Session(&'a str),
}

/// What an `Authorization` field says, if it is of one of the two kinds.
pub(crate) fn credential(field: &str) -> Option<Credential<'_>> {
    let (scheme, secret) = field.split_once(' ')?;
    let secret = secret.trim_matches(' ');
    if secret.is_empty() {
        return None;
    }
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(Credential::Bearer(secret)),
        "session" => Some(Credential::Session(secret)),
        _ => None,
    }
}
