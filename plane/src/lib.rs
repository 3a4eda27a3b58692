//! How the two planes speak over HTTPS: requests that are signed with a token that both know, the client, and
//! streams of one JSON text a line.

mod client;
mod lines;
mod service_keys;
mod service_token;
mod signature;
mod verifier;

pub use client::{
    Address, AddressError, PlaneClient, SILENCE_MAX, bounded, chain, refusal, speaks_no_plain_http,
    unanswered,
};
pub use lines::{LINE_BYTES_MAX, LineError, lines};
pub use service_keys::{LIVE_TOKENS_MAX, LOOK_EVERY, ServiceKeys};
pub use service_token::{ServiceToken, ServiceTokenError};
pub use signature::API;
pub use verifier::{CLOCKS_APART_MS_MAX, NONCES_MAX, Signed, Unsigned, Verifier};
