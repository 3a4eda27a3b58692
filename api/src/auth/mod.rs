//! Who is asking: signed tokens, passwords, and how often one may try.

mod jwt;
mod limiter;
mod password;

pub(crate) use jwt::JwtKeys;
pub(crate) use limiter::{LoginLimiter, Windows, network};
pub(crate) use password::{Passwords, check_hash};

use uuid::Uuid;
use wasmcloud_wire::body::User;

/// Whoever makes a request, known by a token that is signed, current and not revoked.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The user that the token speaks for.
    pub user: User,
    /// The token's id.
    pub token: Uuid,
}

/// The token of an `Authorization` field, if it is of the `Bearer` kind.
pub(crate) fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    let token = token.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
