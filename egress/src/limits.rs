//! What one invocation may use of the network (PROMISES.md: outbound requests of one invocation).

use std::time::Duration;

/// What one invocation may use of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundLimits {
    /// Requests and connections of one invocation; each step of a redirect is one.
    pub requests_max: u32,
    /// Requests and connections under way at once; the next waits for its place, as long as `connect`.
    pub at_once_max: u32,
    /// Time to find a name's addresses.
    pub resolve: Duration,
    /// Time to connect: finding the name's addresses, TCP and TLS together.
    pub connect: Duration,
    /// Time for one request in all, from the call to the last byte of the answer, redirects included.
    pub request: Duration,
    /// Bytes of a request's body.
    pub request_bytes_max: usize,
    /// Bytes of an answer's body, and bytes that a connection may bring.
    pub response_bytes_max: u64,
    /// Redirects that one request follows.
    pub redirects_max: u32,
}

impl Default for OutboundLimits {
    fn default() -> OutboundLimits {
        OutboundLimits {
            requests_max: 50,
            at_once_max: 6,
            resolve: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            request_bytes_max: 10 << 20,
            response_bytes_max: 10 << 20,
            redirects_max: 10,
        }
    }
}

/// Most addresses of one name that are looked at.
pub(crate) const ADDRESSES_MAX: usize = 16;
/// Most header fields of an answer.
pub(crate) const RESPONSE_FIELDS_MAX: usize = 100;
/// Idle connections that an invocation keeps to one host, in case it asks again.
pub(crate) const IDLE_PER_HOST_MAX: usize = 1;
/// How long it keeps them.
pub(crate) const IDLE_TIME: Duration = Duration::from_secs(5);
