//! Proxies that say whom a request is from, and are believed.
//!
//! A proxy that stands before this server makes the connection itself, so its address is all that a connection
//! tells. What it says in `X-Forwarded-For` and `X-Forwarded-Proto` is believed if its own address is among those
//! that the operator named; what anybody else says there is anybody's invention.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use ipnet::IpNet;

use crate::Peer;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Most addresses that are looked at in `X-Forwarded-For`; a request that came through more is its last proxy's.
const HOPS_MAX: usize = 32;

/// The addresses of proxies that are believed; none by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// Believes proxies with addresses in these ranges.
    pub fn new(ranges: impl IntoIterator<Item = IpNet>) -> TrustedProxies {
        TrustedProxies(ranges.into_iter().collect())
    }

    fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }

    /// Whom a request is from: whoever made its connection, unless that is a proxy that is believed. Then it is the
    /// last address in `X-Forwarded-For` that is none of those proxies' own, or the first one if all are; and
    /// `X-Forwarded-Proto` says whether the client's connection is encrypted. With an address that cannot be read
    /// before that, it is the proxy itself.
    pub(crate) fn client(&self, peer: Peer, headers: &HeaderMap) -> Peer {
        if self.0.is_empty() || !self.has(peer.addr.ip()) {
            return peer;
        }
        Peer {
            addr: self.address(headers).unwrap_or(peer.addr),
            tls: encrypted(headers).unwrap_or(peer.tls),
            local: peer.local,
        }
    }

    fn address(&self, headers: &HeaderMap) -> Option<SocketAddr> {
        let fields: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
        let hops = fields.iter().rev().flat_map(|field| field.as_bytes().rsplit(|&byte| byte == b','));
        let mut first = None;
        for (place, hop) in hops.enumerate() {
            if place >= HOPS_MAX {
                return None;
            }
            let address = hop_address(std::str::from_utf8(hop).ok()?.trim_matches([' ', '\t']))?;
            if !self.has(address.ip()) {
                return Some(address);
            }
            first = Some(address);
        }
        first
    }
}

/// An address as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn hop_address(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, 0),
        Err(_) => text.parse().ok()?,
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// What the last proxy says of the client's connection.
fn encrypted(headers: &HeaderMap) -> Option<bool> {
    let last = headers.get_all(FORWARDED_PROTO).iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    let is = |scheme: &str| last.eq_ignore_ascii_case(scheme);
    if is("https") { Some(true) } else { is("http").then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(from: &str, fields: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:aa::/48"].map(|range| range.parse().unwrap());
        let proxies = TrustedProxies::new(proxies);
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let local = ([127, 0, 0, 1], 3001).into();
        let addr = SocketAddr::new(from.parse().unwrap(), 4_711);
        let client = proxies.client(Peer { addr, tls: false, local }, &headers);
        assert_eq!(client.local, local);
        (client.addr.ip().to_string(), client.tls)
    }

    #[test]
    fn whom_a_request_is_from_is_said_by_proxies_that_are_trusted() {
        let forwarded = |from, value| client(from, &[(FORWARDED_FOR, value)]).0;
        for (from, value, expected) in [
            // Nobody else is believed.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("192.0.2.8", "198.51.100.1", "192.0.2.8"),
            ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
            ("192.0.2.7", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"),
            ("2001:db8:aa::1", "2001:db8:bb::1", "2001:db8:bb::1"),
            // What a client says itself stands left of what proxies add.
            ("10.1.2.3", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
            ("10.1.2.3", "127.0.0.1,198.51.100.1 ,\t10.9.9.9,192.0.2.7", "198.51.100.1"),
            ("10.1.2.3", "nonsense, 198.51.100.1", "198.51.100.1"),
            // All are proxies: the first of them began it.
            ("10.1.2.3", "10.0.0.5, 10.0.0.6", "10.0.0.5"),
            ("10.1.2.3", "198.51.100.1:8080", "198.51.100.1"),
            ("10.1.2.3", "[2001:db8::1]:8080", "2001:db8::1"),
            ("10.1.2.3", "[2001:db8::1]", "2001:db8::1"),
            // What cannot be read is not passed over.
            ("10.1.2.3", "198.51.100.1, unknown", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.1,", "10.1.2.3"),
            ("10.1.2.3", "", "10.1.2.3"),
            ("10.1.2.3", "198.51.100.1, 10.0.0.999", "10.1.2.3"),
        ] {
            assert_eq!(forwarded(from, value), expected, "{from}: {value}");
        }
        assert_eq!(client("10.1.2.3", &[]).0, "10.1.2.3");
        let two = [(FORWARDED_FOR, "127.0.0.1"), (FORWARDED_FOR, "198.51.100.1, 10.0.0.1")];
        assert_eq!(client("10.1.2.3", &two).0, "198.51.100.1");
        let many = vec!["10.0.0.1"; 32].join(",");
        assert_eq!(forwarded("10.1.2.3", &many), "10.0.0.1");
        assert_eq!(forwarded("10.1.2.3", &format!("198.51.100.1,{many}")), "10.1.2.3");
    }

    #[test]
    fn how_the_client_came_is_said_by_proxies_that_are_trusted() {
        let proto = |from, value| client(from, &[(FORWARDED_PROTO, value)]).1;
        assert!(proto("10.1.2.3", "https") && proto("10.1.2.3", "HTTPS") && proto("10.1.2.3", "http, https"));
        assert!(!proto("10.1.2.3", "https, http") && !proto("10.1.2.3", "wss") && !proto("10.1.2.3", ""));
        assert!(!proto("203.0.113.9", "https"), "nobody else is believed");
        assert!(!client("10.1.2.3", &[]).1);
    }

    #[test]
    fn nobody_is_believed_unless_an_operator_says_so() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, "198.51.100.1".parse().unwrap());
        headers.append(FORWARDED_PROTO, "https".parse().unwrap());
        let here = ([127, 0, 0, 1], 1).into();
        let peer = Peer { addr: here, tls: false, local: here };
        assert_eq!(TrustedProxies::default().client(peer, &headers), peer);
    }
}
