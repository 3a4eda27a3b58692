//! Whether a request is signed by the other plane, for this process, now, and for the first time.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Method, Uri};
use subtle::ConstantTimeEq as _;

use crate::service_keys::ServiceKeys;
use crate::signature::{self, Statement};

/// How far the clocks of the planes may be apart, the request's way included, in milliseconds.
pub const CLOCKS_APART_MS_MAX: i64 = 60_000;
/// How long a nonce is remembered after the time that it was signed at: longer than any clock among those that
/// verify lets the signature pass.
const NONCE_KEPT_MS: i64 = 2 * CLOCKS_APART_MS_MAX;
/// Most nonces that one process remembers. Where so many were used within two minutes, requests are refused with
/// 503 until the oldest expire: none is forgotten before its time.
pub const NONCES_MAX: usize = 200_000;

/// The code of an error about a request that no live token signed.
pub(crate) const UNSIGNED: &str = "unauthorized";

/// What of a signed request is still to be checked, or remembered elsewhere too.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Used once.
    pub nonce: [u8; 16],
    /// Until when the nonce has to be remembered, in milliseconds since 1970.
    pub expires_ms: i64,
    body: [u8; 32],
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// There is no signature, or it cannot be read.
    #[error("the request is not signed")]
    Missing,
    /// No live token made the signature.
    #[error("the signature is not one of this server's service tokens")]
    Wrong,
    /// It is meant for somebody else.
    #[error("the request is signed for `{0}`, which is somebody else")]
    Audience(String),
    /// The clocks are too far apart, or the request is old.
    #[error("{}", clocks(*off_ms))]
    Clocks {
        /// How far the signer's clock is ahead, in milliseconds.
        off_ms: i64,
    },
    /// It was taken before.
    #[error("the request was taken already; each is signed anew")]
    Replayed,
    /// The body is another than the signed one.
    #[error("the body is not the one that was signed")]
    Body,
    /// Too many were taken of late: not the request's fault.
    #[error("more than {NONCES_MAX} signed requests within two minutes")]
    Full,
}

impl Unsigned {
    /// 401, or 503 where it is not the request's fault.
    pub fn status(&self) -> u16 {
        if *self == Unsigned::Full { 503 } else { 401 }
    }

    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Unsigned::Missing | Unsigned::Wrong => UNSIGNED,
            Unsigned::Audience(_) => "wrong_audience",
            Unsigned::Clocks { .. } => "clocks_apart",
            Unsigned::Replayed => "replayed",
            Unsigned::Body => "wrong_body",
            Unsigned::Full => "unavailable",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Unsigned::Missing | Unsigned::Wrong => {
                "give the executor and the API the same service token file"
            }
            Unsigned::Audience(_) => {
                "start the executor with --internal-url and the address that the API has"
            }
            Unsigned::Clocks { .. } => "let both machines keep the time of one NTP server",
            Unsigned::Replayed | Unsigned::Body => "sign each request anew, with its own body",
            Unsigned::Full => "try again in a few seconds",
        }
    }
}

/// Verifies the requests to one process.
#[derive(Debug)]
pub struct Verifier {
    keys: ServiceKeys,
    nonces: Mutex<Nonces>,
}

impl Verifier {
    /// Verifies by these keys.
    pub fn new(keys: ServiceKeys) -> Verifier {
        Verifier { keys, nonces: Mutex::default() }
    }

    /// Verifies a request's signature, before its body is there; [`Signed::check_body`] does the rest.
    /// `known_as` says whether this process is the one that a request is signed for, and from which time on
    /// such requests are taken.
    ///
    /// # Errors
    ///
    /// Why it is refused.
    pub fn verify(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        known_as: impl Fn(&str) -> Option<i64>,
    ) -> Result<Signed, Unsigned> {
        let verified = self.verify_at(now_ms(), method, uri, headers, known_as);
        verified.inspect_err(|refused| {
            // Whoever signs at all is most likely an operator's, with something to be put right.
            if *refused != Unsigned::Missing {
                tracing::warn!(%refused, hint = refused.hint(), "a request between the planes is refused");
            }
        })
    }

    fn verify_at(
        &self,
        now_ms: i64,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        known_as: impl Fn(&str) -> Option<i64>,
    ) -> Result<Signed, Unsigned> {
        let mut fields = headers.get_all(http::header::AUTHORIZATION).iter();
        let field = fields.next().filter(|_| fields.next().is_none()).and_then(|field| field.to_str().ok());
        let (statement, signature) = field.and_then(signature::read).ok_or(Unsigned::Missing)?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let signed = |keys: &[signature::Key]| {
            keys.iter().any(|key| statement.is_signed(&signature, key, method.as_str(), target))
        };
        if !signed(&self.keys.now()) && !signed(&self.keys.after_refusal()) {
            return Err(Unsigned::Wrong);
        }
        let Some(since_ms) = known_as(&statement.audience) else {
            return Err(Unsigned::Audience(statement.audience));
        };
        let off_ms = statement.time_ms.saturating_sub(now_ms);
        if off_ms.saturating_abs() > CLOCKS_APART_MS_MAX {
            return Err(Unsigned::Clocks { off_ms });
        }
        // What was signed before this process began may have been taken by the one before it.
        if statement.time_ms < since_ms {
            return Err(Unsigned::Replayed);
        }
        let Statement { time_ms, nonce, body, .. } = statement;
        let expires_ms = time_ms.saturating_add(NONCE_KEPT_MS);
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).take(nonce, expires_ms, now_ms)?;
        Ok(Signed { nonce, expires_ms, body })
    }
}

impl Signed {
    /// Whether this is the body that was signed.
    ///
    /// # Errors
    ///
    /// It is another one.
    pub fn check_body(&self, body: &[u8]) -> Result<(), Unsigned> {
        let same: bool = signature::digest(body).ct_eq(&self.body).into();
        same.then_some(()).ok_or(Unsigned::Body)
    }
}

/// The nonces of the last two minutes.
#[derive(Debug, Default)]
struct Nonces {
    taken: HashSet<[u8; 16]>,
    /// In the order of their coming, each with its end. Those whose time is over go from the front on, so that
    /// one may stay a little longer than it has to.
    by_age: VecDeque<(i64, [u8; 16])>,
}

impl Nonces {
    fn take(&mut self, nonce: [u8; 16], expires_ms: i64, now_ms: i64) -> Result<(), Unsigned> {
        while let Some((_, old)) = self.by_age.pop_front_if(|(expires_ms, _)| *expires_ms < now_ms) {
            self.taken.remove(&old);
        }
        if self.taken.contains(&nonce) {
            return Err(Unsigned::Replayed);
        }
        if self.taken.len() >= NONCES_MAX {
            return Err(Unsigned::Full);
        }
        self.taken.insert(nonce);
        self.by_age.push_back((expires_ms, nonce));
        Ok(())
    }
}

fn clocks(off_ms: i64) -> String {
    let (off_s, most_s) = (off_ms.saturating_abs() / 1_000, CLOCKS_APART_MS_MAX / 1_000);
    let side = if off_ms < 0 { "before" } else { "after" };
    format!(
        "the request was signed {off_s} s {side} what this machine's clock says, and at most {most_s} s are \
         allowed: check the clocks of both machines"
    )
}

/// This machine's clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::ServiceToken;
    use crate::signature::{API, Key};

    const NOW_MS: i64 = 1_795_219_750_123;

    fn token(letter: &str) -> ServiceToken {
        letter.repeat(32).parse().unwrap()
    }

    fn field(letter: &str, audience: &str, time_ms: i64, body: &[u8]) -> HeaderValue {
        Statement::now(audience, time_ms, body).unwrap().sign(
            &Key::of(&token(letter)),
            "POST",
            "/internal/v1/x?y",
        )
    }

    fn verifier() -> Verifier {
        Verifier::new(token("a").into())
    }

    fn verify(verifier: &Verifier, now_ms: i64, fields: &[HeaderValue]) -> Result<Signed, Unsigned> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(http::header::AUTHORIZATION, field.clone());
        }
        let uri = Uri::from_static("/internal/v1/x?y");
        let known_as = |audience: &str| (audience == API).then_some(NOW_MS - 10_000_000);
        verifier.verify_at(now_ms, &Method::POST, &uri, &headers, known_as)
    }

    #[test]
    fn a_signed_request_is_taken_once() {
        let (verifier, signed) = (verifier(), field("a", API, NOW_MS, b"body"));
        let taken = verify(&verifier, NOW_MS, std::slice::from_ref(&signed)).unwrap();
        assert_eq!(taken.check_body(b"body"), Ok(()));
        assert_eq!(taken.check_body(b"another"), Err(Unsigned::Body));
        assert_eq!(verify(&verifier, NOW_MS + 50_000, &[signed]).unwrap_err(), Unsigned::Replayed);
        assert!(verify(&verifier, NOW_MS, &[field("a", API, NOW_MS, b"body")]).is_ok());
    }

    #[test]
    fn unsigned_and_wrongly_signed_requests_are_refused() {
        let verifier = verifier();
        let refused = |fields: &[HeaderValue]| verify(&verifier, NOW_MS, fields).unwrap_err();
        assert_eq!(refused(&[]), Unsigned::Missing);
        assert_eq!(refused(&[HeaderValue::from_static("Bearer aaaa")]), Unsigned::Missing);
        let good = field("a", API, NOW_MS, b"");
        assert_eq!(refused(&[good.clone(), good]), Unsigned::Missing);
        assert_eq!(refused(&[field("b", API, NOW_MS, b"")]), Unsigned::Wrong);
        assert_eq!(refused(&[field("a", "b", NOW_MS, b"")]), Unsigned::Audience("b".to_owned()));
    }

    #[test]
    fn clocks_may_be_a_minute_apart_and_no_more() {
        let verifier = verifier();
        for (off_ms, taken) in [(0, true), (60_000, true), (-60_000, true), (60_001, false), (-75_000, false)]
        {
            let answer = verify(&verifier, NOW_MS, &[field("a", API, NOW_MS + off_ms, b"")]);
            assert_eq!(answer.is_ok(), taken, "{off_ms}: {answer:?}");
        }
        let error =
            verify(&verifier, NOW_MS, &[field("a", API, NOW_MS - 75_000, b"")]).unwrap_err().to_string();
        assert!(error.contains("75 s before") && error.contains("check the clocks"), "{error}");
    }

    #[test]
    fn what_was_signed_before_this_process_began_is_refused() {
        let verifier = verifier();
        let mut headers = HeaderMap::new();
        headers.insert(http::header::AUTHORIZATION, field("a", API, NOW_MS, b""));
        let uri = Uri::from_static("/internal/v1/x?y");
        let answer = verifier.verify_at(NOW_MS, &Method::POST, &uri, &headers, |_| Some(NOW_MS + 1));
        assert_eq!(answer.unwrap_err(), Unsigned::Replayed);
    }

    #[test]
    fn nonces_are_kept_for_their_time_and_none_is_forgotten_for_want_of_room() {
        let mut nonces = Nonces::default();
        for number in 0..NONCES_MAX as u128 {
            nonces.take(number.to_be_bytes(), NOW_MS, NOW_MS).unwrap();
        }
        assert_eq!(nonces.take([255; 16], NOW_MS, NOW_MS), Err(Unsigned::Full));
        assert_eq!(nonces.take([0; 16], NOW_MS, NOW_MS), Err(Unsigned::Replayed));
        assert_eq!(nonces.take([255; 16], NOW_MS + 9, NOW_MS + 1), Ok(()));
        assert_eq!(nonces.taken.len(), 1);
    }
}
