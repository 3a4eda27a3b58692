//! One accept loop behind every port: TLS, limits, timeouts, drain.
//!
//! [`bind`] an address, then [`serve`] it with a function from request to response. HTTP itself is
//! hyper's; what this crate adds is everything that keeps a public port alive.
//!
//! | what | bound | where the number comes from | what the client gets |
//! |---|---|---|---|
//! | connections at once | [`Settings::connections_max`] | [`CONNECTIONS_MAX`] | waits to be accepted |
//! | TLS handshake | [`Settings::header_timeout`] | `wire::limits::HEADER_TIMEOUT_MS` | close |
//! | header block, from its first byte | [`Settings::header_timeout`] | `wire::limits::HEADER_TIMEOUT_MS` | 408, close |
//! | idle connection | [`Settings::idle_timeout`] | `wire::limits::IDLE_TIMEOUT_MS` | close |
//! | body standing still | [`Settings::body_timeout`] | `wire::limits::BODY_TIMEOUT_MS` | [`BodyError::TimedOut`], then close |
//! | slow body | [`Settings::body_bytes_per_second_min`] | `wire::limits::BODY_BYTES_PER_SECOND_MIN` | [`BodyError::TooSlow`], then close |
//! | reader that does not read | [`Settings::write_timeout`] | [`WRITE_TIMEOUT_MS`] | reset |
//! | size of the header block | [`Settings::header_bytes_max`] | `wire::limits::HEADER_BYTES_MAX` | 431, close |
//! | number of fields | [`Settings::header_fields_max`] | `wire::limits::HEADER_FIELDS_MAX` | 431, close |
//! | length of the target | [`Settings::target_bytes_max`] | `wire::limits::URL_BYTES_MAX` | 414, close |
//! | drain | [`Settings::drain`] | [`DRAIN_MS`] | its connection is cut |
//!
//! The size of a body is for the caller to bound: [`Body::collect`] takes the limit.
//!
//! Over TLS a client may choose HTTP/2, where all of this holds for each request by itself: what
//! ends a connection above ends one stream there. The private module `http2` has what comes on top.
//!
//! A request whose framing two parsers could read in two ways is answered with 400 and its
//! connection is closed; the private module `framing` has the rules.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod bind;
mod body;
mod connection;
mod framing;
mod guard;
mod http2;
mod linger;
mod pace;
mod proxies;
mod request;
mod response;
mod serve;
mod settings;
mod socket;
mod timer;
mod tls;

pub use bind::{BindError, bind, collide};
pub use body::{Body, BodyError, CollectError};
pub use ipnet::IpNet;
pub use proxies::TrustedProxies;
pub use request::Peer;
pub use response::{BoxError, ResponseBody};
pub use serve::serve;
pub use settings::{CONNECTIONS_MAX, DRAIN_MS, HTTP2_STREAMS_MAX, Settings, WRITE_TIMEOUT_MS};
pub use tls::{SelfSigned, Tls, TlsError};
