//! Who is asking: signed tokens, passwords, and how often one may try.

mod jwt;
mod limiter;
mod password;

pub(crate) use jwt::JwtKeys;
pub(crate) use limiter::{LoginLimiter, Windows, network};
pub(crate) use password::{Passwords, check_hash};

use std::fmt;

use uuid::Uuid;
use wasmcloud_wire::HandlerName;
use wasmcloud_wire::body::{Scope, User};

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

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Via::Token(id) => write!(f, "token {id}"),
            Via::Session(id) => write!(f, "session {id}"),
        }
    }
}

/// The token of an `Authorization` field, if it is of the `Bearer` kind.
pub(crate) fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
