//! How the two planes speak over HTTPS: the token that they show each other, the client, and
//! streams of one JSON text a line.

mod client;
mod lines;
mod service_token;

pub use client::{Address, AddressError, SILENCE_MAX, bounded, chain, client};
pub use lines::{LINE_BYTES_MAX, LineError, lines};
pub use service_token::{ServiceToken, ServiceTokenError};
