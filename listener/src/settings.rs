//! Every bound of a listener.

use std::time::Duration;

use wasmcloud_wire::limits;

use crate::TrustedProxies;

/// Most connections at once on one port.
pub const CONNECTIONS_MAX: usize = 10_000;
/// How long a write may make no progress before its connection is reset.
pub const WRITE_TIMEOUT_MS: u64 = 30_000;
/// How long requests in flight may go on after the shutdown began.
pub const DRAIN_MS: u64 = 30_000;

/// Most requests at once on one HTTP/2 connection; a browser has about as many.
pub const HTTP2_STREAMS_MAX: u32 = 100;
/// How many requests an HTTP/2 client may give up at once, before their answers are complete.
const HTTP2_RESETS_MAX: u32 = 200;
/// How often an HTTP/2 client with open requests is asked for a sign of life.
const HTTP2_PING_INTERVAL_MS: u64 = 20_000;
/// How long the sign of life may take.
const HTTP2_PING_TIMEOUT_MS: u64 = 30_000;
/// How often the files of a certificate are looked at.
const CERTIFICATE_INTERVAL_MS: u64 = 5_000;

/// The bounds of one listener. [`Settings::default`] has the platform's own numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most connections at once; one more waits in the kernel until a place is free.
    pub connections_max: usize,
    /// How long the TLS handshake, and a request's header block from its first byte, may take.
    pub header_timeout: Duration,
    /// How long a connection may stay open between two requests, or before the first.
    pub idle_timeout: Duration,
    /// How long a request's body may stand still.
    pub body_timeout: Duration,
    /// The slowest that a body may arrive on average, counted over the time that was spent waiting
    /// for it, once that is [`Settings::body_timeout`]; 0 for no floor.
    pub body_bytes_per_second_min: u64,
    /// How long a write may make no progress.
    pub write_timeout: Duration,
    /// Largest header block, the request line included.
    pub header_bytes_max: usize,
    /// Most header fields.
    pub header_fields_max: usize,
    /// Longest request target (path and query).
    pub target_bytes_max: usize,
    /// How long requests in flight may go on after the shutdown began.
    pub drain: Duration,
    /// Whether clients may choose HTTP/2. They can over TLS only.
    pub http2: bool,
    /// Most requests at once on one HTTP/2 connection.
    pub http2_streams_max: u32,
    /// How many requests an HTTP/2 client may give up at once; a tenth of it comes back each second.
    pub http2_resets_max: u32,
    /// How often an HTTP/2 client with open requests is sent a ping.
    pub http2_ping_interval: Duration,
    /// How long a client that was sent a ping may give no sign of life.
    pub http2_ping_timeout: Duration,
    /// How often the files of a certificate are looked at.
    pub certificate_interval: Duration,
    /// The proxies that are believed when they say whom a request is from.
    pub trusted_proxies: TrustedProxies,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            connections_max: CONNECTIONS_MAX,
            header_timeout: Duration::from_millis(limits::HEADER_TIMEOUT_MS),
            idle_timeout: Duration::from_millis(limits::IDLE_TIMEOUT_MS),
            body_timeout: Duration::from_millis(limits::BODY_TIMEOUT_MS),
            body_bytes_per_second_min: limits::BODY_BYTES_PER_SECOND_MIN,
            write_timeout: Duration::from_millis(WRITE_TIMEOUT_MS),
            header_bytes_max: limits::HEADER_BYTES_MAX,
            header_fields_max: limits::HEADER_FIELDS_MAX,
            target_bytes_max: limits::URL_BYTES_MAX,
            drain: Duration::from_millis(DRAIN_MS),
            http2: true,
            http2_streams_max: HTTP2_STREAMS_MAX,
            http2_resets_max: HTTP2_RESETS_MAX,
            http2_ping_interval: Duration::from_millis(HTTP2_PING_INTERVAL_MS),
            http2_ping_timeout: Duration::from_millis(HTTP2_PING_TIMEOUT_MS),
            certificate_interval: Duration::from_millis(CERTIFICATE_INTERVAL_MS),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}
