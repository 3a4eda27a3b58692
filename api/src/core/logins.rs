//! Logins of programs that somebody approves in a browser: with a way back to the program's own machine (RFC 8252), or
//! by a code that a person compares (RFC 8628). Either is tied to a verifier that only the program has (RFC 7636).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{FinishLogin, LoginBegun, LoginDecided, NewLogin, PendingLogin, User};

use super::Core;
use super::people::by_session;
use super::tokens::TOKENS_MAX;
use crate::ApiError;
use crate::auth::{Caller, Secret, hash_of};
use crate::store::{LoginAsked, LoginRoom, NewLoginRow, Polled};

/// How long a login can be approved and fetched, in minutes.
const MINUTES: i64 = 15;
/// How long a program waits between two questions, in seconds.
const INTERVAL_S: u32 = 5;
/// By how much sooner it may ask, in milliseconds: its clock and the way are not exact.
const INTERVAL_SLACK_MS: i64 = 500;
/// Logins that wait at once, in all and from one address.
const ROOM: LoginRoom = LoginRoom { all: 10_000, of_peer: 20 };
/// The letters of a code: none that make words, none that look alike (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many letters a code has: 2.56 · 10^10 codes.
const CODE_LETTERS: usize = 8;
/// How often a code is made anew that waits already.
const CODE_TRIES_MAX: usize = 5;
/// Longest label, in characters.
const LABEL_CHARS_MAX: usize = 100;
/// Lengths of a verifier (RFC 7636, 4.1).
const VERIFIER_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// A login that was approved, and is used up.
pub(crate) struct ApprovedLogin {
    pub id: Uuid,
    /// Who gets the token.
    pub user: User,
    /// What it will be called.
    pub label: String,
}

impl Core {
    /// Begins a login that somebody has to approve.
    pub(crate) async fn begin_login(&self, new: NewLogin, peer: IpAddr) -> Result<LoginBegun, ApiError> {
        let NewLogin { code_challenge, label, redirect_port } = new;
        let challenge = challenge(&code_challenge)?;
        let label = label.trim().to_owned();
        if !(1..=LABEL_CHARS_MAX).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            return Err(ApiError::invalid(
                format!("a login's label has 1 to {LABEL_CHARS_MAX} printable characters"),
                "say in a few words which program asks, and on which machine",
            ));
        }
        let now = Timestamp::now();
        let mut row = NewLoginRow {
            id: Uuid::new_v4(),
            user_code: String::new(),
            challenge,
            label,
            peer: peer.to_canonical().to_string(),
            redirect_port,
            expires_at: Timestamp(now.0 + MINUTES * 60_000),
        };
        for _ in 0..CODE_TRIES_MAX {
            row.user_code = new_code()?;
            match self.store.create_login(&row, ROOM, now).await? {
                LoginAsked::Done => {
                    let user_code = shown(&row.user_code);
                    let url = self.config.public_url.join("/device");
                    return Ok(LoginBegun {
                        id: row.id,
                        url_with_code: format!("{url}?code={user_code}"),
                        url,
                        user_code,
                        expires_at: row.expires_at,
                        interval_s: INTERVAL_S,
                    });
                }
                LoginAsked::CodeTaken => {}
                LoginAsked::Full => return Err(too_many()),
            }
        }
        Err(ApiError::internal("every code that was made is taken"))
    }

    /// What waits with this code, for whoever is to approve it.
    pub(crate) async fn pending_login(&self, code: &str) -> Result<PendingLogin, ApiError> {
        let user_code = bare(code).ok_or_else(code_not_found)?;
        let row = self.store.pending_login(&user_code, Timestamp::now()).await?.ok_or_else(code_not_found)?;
        Ok(PendingLogin {
            user_code: shown(&user_code),
            label: row.label,
            peer: row.peer,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }

    /// Approves a login for the caller, or refuses it; says where the browser has to go.
    pub(crate) async fn decide_login(
        &self,
        caller: &Caller,
        code: &str,
        approve: bool,
    ) -> Result<LoginDecided, ApiError> {
        // A token must not make another one that outlives it.
        by_session(caller, "a login is approved in the panel, by whoever is signed in there")?;
        let user_code = bare(code).ok_or_else(code_not_found)?;
        let now = Timestamp::now();
        let row = self.store.pending_login(&user_code, now).await?.ok_or_else(code_not_found)?;
        if approve && self.store.tokens(caller.user.id, now).await?.len() >= TOKENS_MAX as usize {
            return Err(too_many_tokens());
        }
        let back = match row.redirect_port {
            Some(port) => Some((port, Secret::new().map_err(ApiError::internal)?)),
            None => None,
        };
        let hash = back.as_ref().map(|(_, secret)| secret.hash());
        let by = (caller.user.id, &caller.via.grounds());
        if !self.store.decide_login(&user_code, by, approve, hash.as_ref(), now).await? {
            return Err(code_not_found());
        }
        let redirect = back.map(|(port, secret)| {
            let said = match approve {
                true => format!("code={}", secret.reveal()),
                false => "error=access_denied".to_owned(),
            };
            format!("http://127.0.0.1:{port}/?{said}&state={}", row.id)
        });
        Ok(LoginDecided { redirect })
    }

    /// A login that was approved, once: what is left is to make its token.
    pub(crate) async fn finish_login(
        &self,
        id: Uuid,
        finish: FinishLogin,
    ) -> Result<ApprovedLogin, ApiError> {
        let FinishLogin { code_verifier, code } = finish;
        if !VERIFIER_BYTES.contains(&code_verifier.len()) {
            return Err(ApiError::invalid(
                "a verifier has 43 to 128 characters",
                "make one of 32 random bytes in base64url, as RFC 7636 says",
            ));
        }
        let challenge: [u8; 32] = Sha256::digest(&code_verifier).into();
        let now = Timestamp::now();
        let asked_since = Timestamp(now.0 - i64::from(INTERVAL_S) * 1_000 + INTERVAL_SLACK_MS);
        let code_hash = code.as_deref().map(hash_of);
        match self.store.poll_login(id, &challenge, code_hash.as_ref(), asked_since, now).await? {
            Polled::Approved { user, label } => {
                let known = self.store.known(user).await?.ok_or_else(expired)?;
                if let Some(reason) = known.suspended {
                    return Err(ApiError::suspended(&reason));
                }
                Ok(ApprovedLogin { id, user: known.user, label })
            }
            Polled::Pending => Err(ApiError::new(
                409,
                "login_pending",
                "nobody has approved this login yet",
                format!("ask again in {INTERVAL_S} s"),
            )),
            Polled::TooOften => Err(ApiError::new(
                429,
                "slow_down",
                format!("this was asked less than {INTERVAL_S} s ago"),
                format!("wait {INTERVAL_S} s between two questions"),
            )
            .retry_after(INTERVAL_S)),
            Polled::Denied => Err(ApiError::new(
                403,
                "login_denied",
                "the login was refused in the browser",
                "begin another one if that was a mistake",
            )),
            Polled::WrongCode => Err(ApiError::new(
                403,
                "wrong_code",
                "this is not the code that the browser was sent back with",
                "take `code` from the query of the request that the browser made to this machine",
            )),
            Polled::Gone => Err(expired()),
        }
    }
}

fn challenge(text: &str) -> Result<[u8; 32], ApiError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        ApiError::invalid(
            "`code_challenge` is no SHA-256 in base64url without padding",
            "make it of a verifier as RFC 7636 says for S256",
        )
    })
}

fn new_code() -> Result<String, ApiError> {
    // A byte above the last whole round of letters would make some of them likelier.
    let rounds = u8::MAX - u8::MAX % LETTERS.len() as u8;
    let mut code = String::new();
    let mut random = [0; 4 * CODE_LETTERS];
    while code.len() < CODE_LETTERS {
        getrandom::fill(&mut random).map_err(ApiError::internal)?;
        let letters = random.iter().filter(|byte| **byte < rounds);
        let letters = letters.filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()));
        code.extend(letters.take(CODE_LETTERS - code.len()).map(|letter| char::from(*letter)));
    }
    Ok(code)
}

/// A code as people read it: `WDJB-MJHT`.
fn shown(code: &str) -> String {
    let (first, last) = code.split_at_checked(CODE_LETTERS / 2).unwrap_or((code, ""));
    format!("{first}-{last}")
}

/// A code as it is kept, of whatever somebody typed.
fn bare(typed: &str) -> Option<String> {
    let letters =
        typed.chars().filter(|sign| sign.is_ascii_alphabetic()).map(|sign| sign.to_ascii_uppercase());
    let code: String = letters.take(CODE_LETTERS + 1).collect();
    (code.len() == CODE_LETTERS).then_some(code)
}

fn code_not_found() -> ApiError {
    ApiError::new(
        404,
        "login_not_found",
        format!("no login waits with this code; a code is good once, for {MINUTES} minutes"),
        "compare it with what the program shows, or begin anew there",
    )
}

pub(super) fn expired() -> ApiError {
    ApiError::new(
        410,
        "login_expired",
        format!("there is no such login, or not any more: each is good once, for {MINUTES} minutes"),
        "begin another one",
    )
}

/// 409: nobody makes another token.
pub(crate) fn too_many_tokens() -> ApiError {
    ApiError::new(
        409,
        "too_many_tokens",
        format!("you have {TOKENS_MAX} tokens, which is the most that a user may have"),
        "revoke those that you do not need",
    )
}

fn too_many() -> ApiError {
    let message =
        format!("too many logins wait for approval: {} from one address, {} in all", ROOM.of_peer, ROOM.all);
    ApiError::new(429, "too_many_logins", message, "finish one of them, or wait a few minutes")
        .retry_after(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_was_typed() {
        for typed in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht "] {
            assert_eq!(bare(typed).as_deref(), Some("WDJBMJHT"), "{typed}");
        }
        for typed in ["", "WDJB-MJH", "WDJB-MJHTX", "1234-5678"] {
            assert_eq!(bare(typed), None, "{typed}");
        }
        let code = new_code().unwrap();
        assert!(code.len() == 8 && code.bytes().all(|byte| LETTERS.contains(&byte)), "{code}");
        assert_eq!(bare(&shown(&code)), Some(code));
    }
}
