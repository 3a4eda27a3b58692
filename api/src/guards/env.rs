//! Settings in requests. Nothing of what could be a secret is quoted where something is wrong with it.

use rocket::request::{FromRequest, Outcome, Request};
use serde::de::DeserializeOwned;
use wasmcloud_wire::limits::ENV_HEADER_BYTES_MAX;
use wasmcloud_wire::{ENV_HEADER, EnvPatch};

use super::{Payload, or_reject};
use crate::{ApiError, json};

/// The body as JSON of a certain shape, with values that no error may quote.
pub(crate) struct Unquoted<T>(pub T);

#[rocket::async_trait]
impl<'r, T: DeserializeOwned> FromRequest<'r> for Unquoted<T> {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Unquoted<T>, ()> {
        let parsed = json::from_slice(&Payload::of(request).0);
        or_reject(request, parsed.map(Unquoted).map_err(|error| unquoted("the body", &error)))
    }
}

/// What is wrong with JSON, without any of it.
fn unquoted(what: &str, error: &serde_json::Error) -> ApiError {
    let (status, code, wrong) = match error.is_data() {
        true => (422, "invalid_body", "has another shape than the settings that this address takes"),
        false => (400, "malformed_json", "is no JSON"),
    };
    let place = format!("line {}, column {}", error.line(), error.column());
    ApiError::new(
        status,
        code,
        format!("{what} {wrong}, at {place}"),
        "a setting looks like {\"value\": \"…\", \"secret\": true}",
    )
}

/// The settings that an upload changes together with its version.
pub(crate) struct EnvField(pub EnvPatch);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for EnvField {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<EnvField, ()> {
        let mut fields = request.headers().get(ENV_HEADER);
        let patch = match (fields.next(), fields.next()) {
            (None, _) => Ok(EnvPatch::default()),
            (Some(text), None) => parse_env(text),
            (Some(_), Some(_)) => {
                Err(ApiError::invalid("the header field Wasmcloud-Env comes twice", "send it once"))
            }
        };
        or_reject(request, patch.map(EnvField))
    }
}

fn parse_env(text: &str) -> Result<EnvPatch, ApiError> {
    if text.len() > ENV_HEADER_BYTES_MAX {
        return Err(ApiError::new(
            422,
            "env_over_limit",
            format!(
                "the header field Wasmcloud-Env has {} bytes; at most {ENV_HEADER_BYTES_MAX} are read",
                text.len()
            ),
            "set some of the settings on their own: wasmcloud env set",
        ));
    }
    json::from_slice(text.as_bytes()).map_err(|error| unquoted("the header field Wasmcloud-Env", &error))
}
