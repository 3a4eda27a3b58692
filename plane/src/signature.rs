//! A request's signature: what is signed, and the header field that carries it.
//!
//! `Authorization: Wasmcloud-1 audience=A time=T nonce=N body=B signature=S`, where `T` is in milliseconds since
//! 1970, `N` are 16 random bytes, `B` is the sha256 of the body, and `S` the HMAC-SHA256 of
//! `wasmcloud-1`, method, path with query, `A`, `T`, `N` and `B`, each on a line, all bytes in lower-case
//! hexadecimal. The key is derived from the service token, which itself never travels.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::ServiceToken;

/// The API, as those who sign requests to it call it.
pub const API: &str = "api";
/// The scheme of the field.
const SCHEME: &str = "Wasmcloud-1";
/// What the key is derived for, so that the token may have other uses.
const PURPOSE: &[u8] = b"wasmcloud: requests between the planes, 1";
/// Longest audience, in bytes: an address.
const AUDIENCE_BYTES_MAX: usize = 512;

/// The key of one service token. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Key {
    pub(crate) fn of(token: &ServiceToken) -> Key {
        Key(hmac(token.as_bytes(), &[PURPOSE]).finalize().into_bytes().into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([redacted])")
    }
}

/// What a request is signed over, besides method and target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub audience: String,
    /// Milliseconds since 1970.
    pub time_ms: i64,
    pub nonce: [u8; 16],
    /// The sha256 of the body.
    pub body: [u8; 32],
}

impl Statement {
    /// A statement about a request that is made now.
    pub(crate) fn now(audience: &str, time_ms: i64, body: &[u8]) -> Result<Statement, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(Statement { audience: audience.to_owned(), time_ms, nonce, body: digest(body) })
    }

    fn mac(&self, key: &Key, method: &str, target: &str) -> Hmac<Sha256> {
        let (time, nonce, body) = (self.time_ms.to_string(), hex::encode(self.nonce), hex::encode(self.body));
        let lines = ["wasmcloud-1", method, target, &self.audience, &time, &nonce, &body].join("\n");
        hmac(&key.0, &[lines.as_bytes()])
    }

    /// The header field's value for a request that is signed; marked as sensitive.
    pub(crate) fn sign(&self, key: &Key, method: &str, target: &str) -> HeaderValue {
        let signature = hex::encode(self.mac(key, method, target).finalize().into_bytes());
        let (audience, time) = (&self.audience, self.time_ms);
        let (nonce, body) = (hex::encode(self.nonce), hex::encode(self.body));
        let field = format!(
            "{SCHEME} audience={audience} time={time} nonce={nonce} body={body} signature={signature}"
        );
        // An address and an id are visible ASCII; anything else would be refused there.
        let mut value = HeaderValue::from_str(&field).unwrap_or_else(|_| HeaderValue::from_static(SCHEME));
        value.set_sensitive(true);
        value
    }

    /// Whether this signature is by this key; found out in a time that says nothing about it.
    pub(crate) fn is_signed(&self, signature: &[u8; 32], key: &Key, method: &str, target: &str) -> bool {
        self.mac(key, method, target).verify_slice(signature).is_ok()
    }
}

/// Reads a field's value: what it says, and the signature. `None` if it is no such value.
pub(crate) fn read(field: &str) -> Option<(Statement, [u8; 32])> {
    let mut parts = field.strip_prefix(SCHEME)?.strip_prefix(' ')?.split(' ');
    let mut next = |name: &str| parts.next()?.strip_prefix(name)?.strip_prefix('=');
    let audience = next("audience").filter(|text| text.len() <= AUDIENCE_BYTES_MAX)?.to_owned();
    let time_ms = next("time")?.parse().ok()?;
    let (nonce, body) = (bytes(next("nonce")?)?, bytes(next("body")?)?);
    let signature = bytes(next("signature")?)?;
    parts.next().is_none().then_some((Statement { audience, time_ms, nonce, body }, signature))
}

/// The sha256 of a body.
pub(crate) fn digest(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104)")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    for part in parts {
        mac.update(part);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> Key {
        Key::of(&letter.repeat(32).parse().unwrap())
    }

    fn statement() -> Statement {
        let body = digest(b"a body");
        Statement { audience: API.to_owned(), time_ms: 1_795_219_750_123, nonce: [7; 16], body }
    }

    #[test]
    fn what_is_signed_is_read_back_and_holds_for_that_very_request_alone() {
        let field = statement().sign(&key("a"), "POST", "/internal/v1/records?x=1");
        let (read, signature) = read(field.to_str().unwrap()).unwrap();
        assert_eq!(read, statement());
        let holds = |statement: &Statement, key: &Key, method, target| {
            statement.is_signed(&signature, key, method, target)
        };
        assert!(holds(&read, &key("a"), "POST", "/internal/v1/records?x=1"));
        assert!(!holds(&read, &key("b"), "POST", "/internal/v1/records?x=1"));
        assert!(!holds(&read, &key("a"), "GET", "/internal/v1/records?x=1"));
        assert!(!holds(&read, &key("a"), "POST", "/internal/v1/records"));
        for changed in [
            Statement { audience: "another".to_owned(), ..statement() },
            Statement { time_ms: 1, ..statement() },
            Statement { nonce: [8; 16], ..statement() },
            Statement { body: digest(b"another body"), ..statement() },
        ] {
            assert!(!holds(&changed, &key("a"), "POST", "/internal/v1/records?x=1"), "{changed:?}");
        }
    }

    #[test]
    fn the_form_is_the_documented_one() {
        let field = statement().sign(&key("a"), "GET", "/internal/v1/changes");
        assert!(field.is_sensitive());
        let body = hex::encode(digest(b"a body"));
        let nonce = "07".repeat(16);
        let begin =
            format!("Wasmcloud-1 audience=api time=1795219750123 nonce={nonce} body={body} signature=");
        let signature = field.to_str().unwrap().strip_prefix(&begin).unwrap().to_owned();
        let derived = hmac("a".repeat(32).as_bytes(), &[PURPOSE]).finalize().into_bytes();
        let text = format!("wasmcloud-1\nGET\n/internal/v1/changes\napi\n1795219750123\n{nonce}\n{body}");
        assert_eq!(signature, hex::encode(hmac(&derived, &[text.as_bytes()]).finalize().into_bytes()));
    }

    #[test]
    fn another_form_is_none() {
        let field = statement().sign(&key("a"), "GET", "/");
        let field = field.to_str().unwrap();
        for other in [
            String::new(),
            "Bearer 0123".to_owned(),
            field.replace("Wasmcloud-1", "Wasmcloud-2"),
            field.replace("nonce=07", "nonce="),
            field.replace("time=", "time=x"),
            field.replace("audience=api", &format!("audience={}", "a".repeat(513))),
            format!("{field} more=1"),
            field.replace(' ', "  "),
        ] {
            assert!(read(&other).is_none(), "{other}");
        }
    }
}
