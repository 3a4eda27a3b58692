//! A split: another version answers a part of the clients of a live address, each client always by the same
//! version.
//!
//! A client has one of 100 buckets, and is answered by the other version if its bucket is below the percentage: so
//! whoever has the new version keeps it while the part grows. The bucket comes with a cookie; without one it is
//! made of the client's address and the handler, and is sent as a cookie while there is a split. Whoever sends
//! another bucket gets another version, and nothing else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use wasmcloud_wire::{Deployment, Digest, HandlerId, RequestHead, RouteKey, Scheme, Split};

use crate::routes::Routes;

/// The cookie that has a client's bucket. Programs never see it.
const COOKIE: &str = "Wasmcloud-Split";
/// How long a client keeps its bucket, in seconds: 7 days.
const COOKIE_LIFETIME_S: u32 = 7 * 24 * 60 * 60;
const BUCKETS: u8 = 100;
/// How long the other version is asked for, where it is not known. Then the live one answers.
const LOOKUP_WAIT_MAX: Duration = Duration::from_secs(1);
/// The leading bits of an IPv6 address that tell clients apart: those after them change from day to day (RFC 8981).
const IPV6_SITE_BITS: u32 = 64;

/// Which version answers.
pub(crate) struct Chosen {
    pub(crate) deployment: Arc<Deployment>,
    /// A field `Set-Cookie` for the answer.
    pub(crate) cookie: Option<HeaderValue>,
    /// Whether the client named a bucket that is not the one of its address: an honest client that has moved, or
    /// one that wants its failures to count for another version.
    pub(crate) by_client: bool,
}

/// Chooses the version that answers a request to what `live` serves, and takes the platform's cookie out of the
/// request.
pub(crate) async fn choose(routes: &Routes, live: Arc<Deployment>, request: &mut RequestHead) -> Chosen {
    let known = take_cookie(request);
    let Some(Split { version, percent }) = live.split else {
        return Chosen { deployment: live, cookie: None, by_client: false };
    };
    let own = bucket_of(client(request), live.handler);
    let bucket = known.unwrap_or(own);
    let by_client = bucket != own;
    let cookie = if known.is_none() { set_cookie(bucket, request) } else { None };
    if bucket >= percent {
        return Chosen { deployment: live, cookie, by_client };
    }
    let key = RouteKey { handler: live.name.clone(), version: Some(version) };
    let other = match tokio::time::timeout(LOOKUP_WAIT_MAX, routes.lookup(&key)).await {
        // A handler that was deleted and made anew meanwhile is another one.
        Ok(Ok(Some(other))) if other.handler == live.handler => other,
        _ => live,
    };
    Chosen { deployment: other, cookie, by_client }
}

/// The bucket that the request's cookie names; the cookie is not in the request any more.
fn take_cookie(request: &mut RequestHead) -> Option<u8> {
    let mut found = None;
    for (name, value) in &mut request.headers {
        if name == "cookie" && value.contains(COOKIE) {
            let is_ours = |pair: &&str| pair.trim().split_once('=').is_some_and(|(name, _)| name == COOKIE);
            let ours = value.split(';').find(is_ours);
            found = found.or_else(|| ours.and_then(|pair| bucket_in(pair.trim())));
            let others: Vec<&str> = value.split(';').filter(|pair| !is_ours(pair)).map(str::trim).collect();
            *value = others.join("; ");
        }
    }
    request.headers.retain(|(name, value)| name != "cookie" || !value.is_empty());
    found
}

/// `Wasmcloud-Split=42` as 42.
fn bucket_in(pair: &str) -> Option<u8> {
    let (_, digits) = pair.split_once('=')?;
    let is_plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|bucket| is_plain && *bucket < BUCKETS)
}

/// What tells a client from others: the address that it came from, or, behind a proxy, the first one that
/// `X-Forwarded-For` names. A client can make that up; it then chooses its own bucket, as it can by a cookie.
fn client(request: &RequestHead) -> &str {
    let forwarded = request.headers.iter().find(|(name, _)| name == "x-forwarded-for");
    let first = forwarded.and_then(|(_, value)| value.split(',').next()).map(str::trim);
    first.filter(|first| !first.is_empty()).unwrap_or(&request.remote_addr)
}

/// A client's bucket at a handler: the same on every executor.
fn bucket_of(client: &str, handler: HandlerId) -> u8 {
    let mut text = handler.0.as_bytes().to_vec();
    match client.parse() {
        Ok(IpAddr::V6(address)) => {
            text.extend((address.to_bits() >> (128 - IPV6_SITE_BITS)).to_be_bytes());
        }
        _ => text.extend(client.as_bytes()),
    }
    let digest = Digest::of(&text);
    let first = digest.as_bytes().first_chunk().copied().unwrap_or_default();
    // Of 2^64 numbers, each remainder is as frequent as any other, or as good as.
    let remainder = u64::from_be_bytes(first) % u64::from(BUCKETS);
    u8::try_from(remainder).unwrap_or_default()
}

/// The field that gives a client its bucket to keep, for the handler's paths alone.
fn set_cookie(bucket: u8, request: &RequestHead) -> Option<HeaderValue> {
    let prefix = request.script_name.as_str();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b';';
    let path = if prefix.starts_with('/') && prefix.bytes().all(is_plain) { prefix } else { "/" };
    let secure = if request.scheme == Scheme::Https { "; Secure" } else { "" };
    let field = format!(
        "{COOKIE}={bucket}; Path={path}; Max-Age={COOKIE_LIFETIME_S}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&field).ok()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn request(headers: &[(&str, &str)]) -> RequestHead {
        RequestHead {
            method: "GET".to_owned(),
            scheme: Scheme::Http,
            protocol: "HTTP/1.1".to_owned(),
            server_name: "hello.localhost".to_owned(),
            server_port: 80,
            script_name: String::new(),
            target: "/".to_owned(),
            headers: headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            remote_addr: "192.0.2.7".to_owned(),
        }
    }

    #[test]
    fn the_cookie_is_taken_out_and_others_stay() {
        for (cookies, bucket, rest) in [
            (vec!["Wasmcloud-Split=42"], Some(42), vec![]),
            (vec!["a=1; Wasmcloud-Split=0; b=2"], Some(0), vec!["a=1; b=2"]),
            (vec!["a=1", "Wasmcloud-Split=99", "b=2"], Some(99), vec!["a=1", "b=2"]),
            (vec!["Wasmcloud-Split=100; a=1"], None, vec!["a=1"]),
            (vec!["Wasmcloud-Split=+7"], None, vec![]),
            (vec!["Wasmcloud-Split=007"], None, vec![]),
            (vec!["Wasmcloud-Split="], None, vec![]),
            (vec!["Wasmcloud-Split=x; Wasmcloud-Split=3"], None, vec![]),
            (vec!["not-Wasmcloud-Split=3"], None, vec!["not-Wasmcloud-Split=3"]),
            (vec!["a=Wasmcloud-Split"], None, vec!["a=Wasmcloud-Split"]),
            (vec!["odd cookie;; a=1"], None, vec!["odd cookie;; a=1"]),
            (vec![], None, vec![]),
        ] {
            let fields: Vec<_> = cookies.iter().map(|&cookie| ("cookie", cookie)).collect();
            let mut request = request(&fields);
            assert_eq!(take_cookie(&mut request), bucket, "{cookies:?}");
            let left: Vec<_> = request.headers.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(left, rest, "{cookies:?}");
        }
    }

    #[test]
    fn buckets_are_shared_out_evenly_among_addresses() {
        let handler = HandlerId::new();
        let mut counts = [0_u32; 100];
        for number in 0..100_000_u32 {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + number * 7).to_string();
            counts[usize::from(bucket_of(&address, handler))] += 1;
        }
        // 1 000 in each, with a standard deviation of 31.
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_client_has_one_bucket_at_a_handler_and_another_elsewhere() {
        let (one, other) = (HandlerId::new(), HandlerId::new());
        let addresses: Vec<_> = (0..200).map(|number| Ipv4Addr::from_bits(number).to_string()).collect();
        assert!(addresses.iter().all(|address| bucket_of(address, one) == bucket_of(address, one)));
        assert!(addresses.iter().any(|address| bucket_of(address, one) != bucket_of(address, other)));
        let of_a_site = |last: u128| Ipv6Addr::from_bits((0x2001_0db8 << 96) + last).to_string();
        assert_eq!(bucket_of(&of_a_site(1), one), bucket_of(&of_a_site(0xffff_ffff_ffff), one));
    }

    #[test]
    fn clients_behind_a_proxy_are_told_apart() {
        assert_eq!(client(&request(&[])), "192.0.2.7");
        assert_eq!(client(&request(&[("x-forwarded-for", "198.51.100.4, 10.0.0.1")])), "198.51.100.4");
        assert_eq!(client(&request(&[("x-forwarded-for", " ")])), "192.0.2.7");
    }

    #[test]
    fn a_cookie_is_for_the_handlers_own_paths() {
        let mut head = request(&[]);
        let field = |head: &RequestHead| set_cookie(7, head).unwrap().to_str().unwrap().to_owned();
        let rest = "Max-Age=604800; HttpOnly; SameSite=Lax";
        assert_eq!(field(&head), format!("Wasmcloud-Split=7; Path=/; {rest}"));
        head.script_name = "/~hello".to_owned();
        head.scheme = Scheme::Https;
        assert_eq!(field(&head), format!("Wasmcloud-Split=7; Path=/~hello; {rest}; Secure"));
        for odd in ["/a; Domain=example.com", "/a b", "/ü", "/a\r\nX: y"] {
            head.script_name = odd.to_owned();
            assert_eq!(field(&head), format!("Wasmcloud-Split=7; Path=/; {rest}; Secure"), "{odd:?}");
        }
    }
}
