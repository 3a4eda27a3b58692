//! Tokens: what a new one may do, and when one was last used.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;
use wasmcloud_wire::body::{Scope, TokenGrant, User};
use wasmcloud_wire::limits::TOKEN_HANDLERS_MAX;
use wasmcloud_wire::{HandlerName, Timestamp};

use super::logins::{ApprovedLogin, expired};
use super::oidc::flow_invalid;
use super::users::wrong_credentials;
use super::{Core, DAY_MS};
use crate::ApiError;
use crate::store::{Grounds, NewTokenRow};

/// A token's use is noted to so many milliseconds.
const MINUTE_MS: i64 = 60_000;
/// Live tokens of one user: as many can be made by hand, and as many by logins with a password, of which beyond it the one
/// that was not used for longest is revoked.
pub(crate) const TOKENS_MAX: u32 = 1_000;
/// How long a login lasts, in days.
const LOGIN_DAYS: u32 = 30;
/// What a token is called that a login with a password made.
const LOGIN_LABEL: &str = "login";
/// Tokens whose use is being noted at once. The use of one more is noted with its next request.
const NOTES_MAX: usize = 64;

/// What a token may do at most.
#[derive(Clone, Debug)]
pub struct TokenLimits {
    /// What it may be used for, each once.
    pub scopes: Vec<Scope>,
    /// The handlers that it is limited to; all if absent.
    pub handlers: Option<Vec<HandlerName>>,
}

impl TokenLimits {
    /// All that its user may do.
    pub fn none() -> TokenLimits {
        TokenLimits { scopes: Scope::ALL.to_vec(), handlers: None }
    }

    /// The limits that somebody asks for.
    pub(crate) fn new(
        scopes: Option<Vec<Scope>>,
        handlers: Option<Vec<HandlerName>>,
    ) -> Result<TokenLimits, ApiError> {
        let mut scopes = scopes.unwrap_or_else(|| Scope::ALL.to_vec());
        if scopes.is_empty() {
            return Err(ApiError::invalid(
                "a token without a scope could do nothing",
                "give some of: admin, deploy, invoke, read; or leave `scopes` out for all of them",
            ));
        }
        if scopes.contains(&Scope::Admin) {
            scopes = Scope::ALL.to_vec();
        }
        scopes.sort_unstable();
        scopes.dedup();
        let handlers = handlers.map(|mut handlers| {
            handlers.sort_unstable();
            handlers.dedup();
            handlers
        });
        match handlers.as_ref().map(Vec::len) {
            None | Some(1..=TOKEN_HANDLERS_MAX) => Ok(TokenLimits { scopes, handlers }),
            Some(count) => Err(ApiError::invalid(
                format!("a token is limited to 1 to {TOKEN_HANDLERS_MAX} handlers, not to {count}"),
                "leave `handlers` out for all of them",
            )),
        }
    }
}

/// Whether a token may do less than its user. It is signed for another audience then.
pub(super) fn is_limited(scopes: &[Scope], handlers: &Option<Vec<HandlerName>>) -> bool {
    handlers.is_some() || !scopes.contains(&Scope::Admin)
}

/// The tokens whose use is being noted right now.
#[derive(Debug, Default)]
pub(crate) struct UseNotes(Mutex<HashSet<Uuid>>);

impl UseNotes {
    fn begin(&self, id: Uuid) -> bool {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.len() < NOTES_MAX && notes.insert(id)
    }

    fn end(&self, id: Uuid) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

impl Core {
    /// Makes a token that may do all that its user may.
    pub async fn grant_token(&self, user: &User, label: &str, days: u32) -> Result<TokenGrant, ApiError> {
        self.grant_limited_token(user, label, days, TokenLimits::none(), None, &Grounds::Known).await
    }

    /// Makes the token of a login with a password, or of somebody who has just registered.
    pub(crate) async fn grant_login(&self, user: &User, grounds: &Grounds) -> Result<TokenGrant, ApiError> {
        let (limits, at_most) = (TokenLimits::none(), Some(TOKENS_MAX));
        self.grant_limited_token(user, LOGIN_LABEL, LOGIN_DAYS, limits, at_most, grounds).await
    }

    /// Makes the token of a login that was approved in a browser.
    pub(crate) async fn grant_approved(&self, login: ApprovedLogin) -> Result<TokenGrant, ApiError> {
        let ApprovedLogin { id, user, label } = login;
        let (limits, grounds) = (TokenLimits::none(), Grounds::Login(id));
        self.grant_limited_token(&user, &label, LOGIN_DAYS, limits, None, &grounds).await
    }

    /// Makes a token that speaks for a user within limits, on grounds that still have to hold. With `at_most`, as many that
    /// are called the same.
    pub(crate) async fn grant_limited_token(
        &self,
        user: &User,
        label: &str,
        days: u32,
        limits: TokenLimits,
        at_most: Option<u32>,
        grounds: &Grounds,
    ) -> Result<TokenGrant, ApiError> {
        let (id, now) = (Uuid::now_v7(), Timestamp::now());
        let expires_at = Timestamp(now.0 + i64::from(days) * DAY_MS);
        let TokenLimits { scopes, handlers } = limits;
        let limited = is_limited(&scopes, &handlers);
        let token = self.keys.sign(user.id, id, limited, now, expires_at).map_err(ApiError::internal)?;
        let row = NewTokenRow { id, user: user.id, label: label.to_owned(), expires_at, scopes, handlers };
        if !self.store.create_token(row, at_most, grounds, now).await? {
            return Err(unfounded(grounds));
        }
        Ok(TokenGrant { token, id, expires_at, user: user.clone() })
    }

    /// Notes beside the request that its token was used in this minute, unless that is noted already.
    pub(super) fn note_token_use(&self, id: Uuid, used_at: Option<Timestamp>, now: Timestamp) {
        let minute = Timestamp(now.0 - now.0.rem_euclid(MINUTE_MS));
        if used_at.is_some_and(|used_at| used_at >= minute) || !self.used.begin(id) {
            return;
        }
        let (store, used) = (Arc::clone(&self.store), Arc::clone(&self.used));
        tokio::spawn(async move {
            if let Err(error) = store.note_token_use(id, minute).await {
                tracing::debug!(%error, token = %id, "cannot note when a token was used");
            }
            used.end(id);
        });
    }
}

/// What whoever asked is told when the grounds do not hold any more: what they would be told if they asked now.
pub(super) fn unfounded(grounds: &Grounds) -> ApiError {
    match grounds {
        Grounds::Password(_) => wrong_credentials(),
        Grounds::Known | Grounds::Session(_) | Grounds::Token(_) => ApiError::unauthorized(),
        Grounds::Login(_) => expired(),
        Grounds::Identity { .. } => flow_invalid(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_note_of_a_token_is_made_at_once_and_so_many_of_all() {
        let (notes, first) = (UseNotes::default(), Uuid::now_v7());
        assert!(notes.begin(first) && !notes.begin(first));
        for _ in 1..NOTES_MAX {
            assert!(notes.begin(Uuid::now_v7()));
        }
        assert!(!notes.begin(Uuid::now_v7()));
        notes.end(first);
        assert!(notes.begin(Uuid::now_v7()));
    }

    #[test]
    fn a_token_that_may_do_less_than_its_user_is_limited() {
        let name: HandlerName = "hello".parse().unwrap();
        assert!(!is_limited(&Scope::ALL, &None));
        assert!(is_limited(&[Scope::Deploy, Scope::Invoke, Scope::Read], &None));
        assert!(is_limited(&Scope::ALL, &Some(vec![name])));
    }
}
