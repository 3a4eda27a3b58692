//! Tokens: JWTs signed with Ed25519, by a key that is made at the first start.

use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasmcloud_wire::{Timestamp, UserId};

use crate::key_file::{self, KeyError};

const ISSUER: &str = "wasmcloud";
const AUDIENCE: &str = "wasmcloud-api";
/// Of tokens that are limited in scope or to handlers: a program that knows no such limits refuses them.
const AUDIENCE_LIMITED: &str = "wasmcloud-api-limited";
/// By how much the clocks of two servers may differ, in seconds.
const LEEWAY_S: u64 = 30;
/// By how much a clock may be set back, in seconds, without every newer token being refused until it has caught
/// up. A token's beginning is the moment when one of our own servers signed it, so no token is good too early by this.
const SET_BACK_MAX_S: u64 = 2 * 60 * 60;

/// What a token says. Every claim has to be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub jti: Uuid,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
}

impl Claims {
    /// Whether it was signed as a limited one. What its limits are is the store's to say.
    pub(crate) fn is_limited(&self) -> bool {
        self.aud == AUDIENCE_LIMITED
    }
}

/// The keys that sign and check tokens.
pub(crate) struct JwtKeys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl JwtKeys {
    /// Reads the key file, or makes it where there is none.
    pub(crate) fn load_or_create(path: &Path) -> Result<JwtKeys, KeyError> {
        let pkcs8 = key_file::load_or_create(path, "the key that signs tokens", || {
            let fresh = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
            Ok(fresh.as_ref().to_vec())
        })?;
        JwtKeys::from_pkcs8(&pkcs8).ok_or_else(|| KeyError::NotAKey(path.to_owned()))
    }

    /// The keys of a key file's bytes.
    pub(crate) fn from_pkcs8(pkcs8: &[u8]) -> Option<JwtKeys> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY_S;
        // With a leeway of its own, below.
        validation.validate_nbf = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE, AUDIENCE_LIMITED]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Some(JwtKeys {
            encoding: EncodingKey::from_ed_der(pkcs8),
            decoding: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            validation,
        })
    }

    /// Signs a token.
    pub(crate) fn sign(
        &self,
        user: UserId,
        id: Uuid,
        is_limited: bool,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: if is_limited { AUDIENCE_LIMITED } else { AUDIENCE }.to_owned(),
            sub: user,
            jti: id,
            iat: seconds(now),
            nbf: seconds(now),
            exp: seconds(expires_at),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding)
    }

    /// What a token says, if it is one of ours and its time has come and not gone. Whether it was
    /// revoked is the store's to say.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
        let data = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation).ok()?;
        // A header that brings a key, or names where to get one, is never one that we wrote.
        let header = &data.header;
        let brings_key =
            header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some();
        let from_the_future =
            data.claims.iat.max(data.claims.nbf) > seconds(now).saturating_add(SET_BACK_MAX_S);
        (!brings_key && !from_the_future).then_some(data.claims)
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.0 / 1000).unwrap_or(0)
}
