//! From an HTTP request to the request that a program sees.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use http::request::Parts;
use http::uri::Authority;
use hyper::body::Body as _;
use wasmcloud_listener::{Body, Peer};
use wasmcloud_wire::{Header, HostName, HostRoute, RequestHead, RouteKey, Scheme, find_route, hides_dots};

use super::Edge;
use super::error::EdgeError;
use crate::guest::DEPTH_FIELD;
use crate::hosts::Hosts;
use crate::invocation::StartError;

/// What a request's address says.
pub(crate) struct Asked {
    /// Which handler, and perhaps which version.
    pub(crate) key: RouteKey,
    server_name: String,
    server_port: u16,
    /// `/~hello`, or the path of a route that is stripped, or nothing.
    script_name: String,
    /// The rest of the path, and the query.
    target: String,
}

/// Finds out whom a request is for.
pub(crate) async fn address(
    edge: &Edge,
    hosts: &Arc<Hosts>,
    parts: &Parts,
    peer: Peer,
) -> Result<Asked, EdgeError> {
    let (name, port) = host(parts, peer)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let above = name.strip_suffix(edge.domain.as_str());
    if let Some(label) = above.and_then(|label| label.strip_suffix('.')) {
        let key = label.parse().map_err(|_| EdgeError::NoSuchName(label.to_owned()))?;
        let target = target.to_owned();
        return Ok(Asked { key, server_name: name, server_port: port, script_name: String::new(), target });
    }
    // The domain itself is nobody's to route.
    let routable = if above == Some("") { None } else { name.parse::<HostName>().ok() };
    if let Some(host) = routable {
        let routes = hosts.lookup(&host, peer.addr.ip()).await?;
        if !routes.is_empty() {
            return routed(&host, &routes, target, port);
        }
    }
    below_tilde(edge, name, port, target)
}

/// Follows the routes of a host. Where there are any, nothing else answers there: the host is an origin of its own.
fn routed(host: &HostName, routes: &[HostRoute], target: &str, port: u16) -> Result<Asked, EdgeError> {
    let target = wasmcloud_cgi::resolve_target(target);
    let path_end = target.find('?').unwrap_or(target.len());
    let (path, query) = target.split_at_checked(path_end).unwrap_or((&target, ""));
    if hides_dots(path) {
        let what = "its path has `.` or `..` behind an encoded slash".to_owned();
        return Err(EdgeError::Start(StartError::Malformed(what)));
    }
    let Some((route, covered)) = find_route(routes, path) else {
        return Err(EdgeError::NoRoute { host: host.clone(), path: path.to_owned() });
    };
    let (script_name, rest) = match (route.strip_prefix, path.get(covered..)) {
        (true, Some(rest)) if covered > 0 => (route.decoded(), rest),
        _ => (String::new(), path),
    };
    // The boundary may have come as `%2F`; and what the route itself is asked for is the program's root.
    let (slash, rest) = match rest.get(..3) {
        _ if rest.is_empty() => ("/", rest),
        Some(encoded) if encoded.eq_ignore_ascii_case("%2f") => ("/", rest.get(3..).unwrap_or_default()),
        _ => ("", rest),
    };
    let key = RouteKey { handler: route.handler.clone(), version: None };
    let (server_name, server_port) = (host.to_string(), port);
    Ok(Asked { key, server_name, server_port, script_name, target: format!("{slash}{rest}{query}") })
}

/// The handler that `/~hello/` names, where the operator lets all handlers into one origin.
fn below_tilde(edge: &Edge, name: String, port: u16, target: &str) -> Result<Asked, EdgeError> {
    if !edge.by_path {
        return Err(EdgeError::NotAHandler { host: name, domain: edge.domain.clone() });
    }
    // `..` is resolved first, so that it cannot lead from one handler to another.
    let target = wasmcloud_cgi::resolve_target(target);
    let Some((handler, rest)) = split_prefix(&target) else {
        return Err(EdgeError::NotAHandler { host: name, domain: edge.domain.clone() });
    };
    let key = handler.parse().map_err(|_| EdgeError::NoSuchName(handler.to_owned()))?;
    let script_name = format!("/~{handler}");
    if !rest.starts_with('/') {
        return Err(EdgeError::MissingSlash { to: format!("{script_name}/{rest}") });
    }
    Ok(Asked { key, server_name: name, server_port: port, script_name, target: rest.to_owned() })
}

/// `/~hello/path?query` as `hello` and `/path?query`; `%7E` is the same as `~` (RFC 3986 section 6.2.2.2).
fn split_prefix(target: &str) -> Option<(String, String)> {
    let rest = ["/~", "/%7E", "/%7e"].iter().find_map(|prefix| target.strip_prefix(prefix))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (handler, rest) = rest.split_at_checked(end)?;
    Some((handler.to_owned(), rest.to_owned()))
}

/// The host that a request names, in lower case without port and final dot, and the port.
///
/// A target in absolute form names a host too. RFC 9112 section 3.2.2 lets it win over the `Host`
/// field; something in between may have gone by the field, so here the two have to agree.
fn host(parts: &Parts, peer: Peer) -> Result<(String, u16), EdgeError> {
    let default_port = if peer.tls { 443 } else { 80 };
    let target = parts.uri.authority().map(|authority| parse_host(authority.as_str())).transpose()?;
    let field =
        parts.headers.get(HOST).map(|host| parse_host(host.to_str().unwrap_or_default())).transpose()?;
    let same = |(name, port): (String, Option<u16>)| (name, port.unwrap_or(default_port));
    match (target.map(same), field.map(same)) {
        (Some(target), Some(field)) if target != field => Err(EdgeError::BadHost),
        (Some(named), _) | (None, Some(named)) => Ok(named),
        // HTTP/1.0 need not name a host; the address that was connected to is the next best.
        (None, None) => Ok((peer.local.ip().to_string(), peer.local.port())),
    }
}

/// `Example.com.:80` as `example.com` and 80. Credentials, a port that is none and a second final dot
/// have no place in it (RFC 9110 section 7.2).
fn parse_host(text: &str) -> Result<(String, Option<u16>), EdgeError> {
    let authority: Authority = text.parse().map_err(|_| EdgeError::BadHost)?;
    // With credentials, it would not begin with its host.
    let port = text.strip_prefix(authority.host()).ok_or(EdgeError::BadHost)?;
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        Some("") => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().map_err(|_| EdgeError::BadHost)?)
        }
        _ => return Err(EdgeError::BadHost),
    };
    let name = authority.host();
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    if name.is_empty() || name.ends_with('.') || text.contains('@') {
        return Err(EdgeError::BadHost);
    }
    Ok((name, port))
}

/// How many handlers the request has come through.
pub(crate) fn depth(headers: &HeaderMap) -> u32 {
    let fields = headers
        .get_all(DEPTH_FIELD)
        .iter()
        .map(|value| (DEPTH_FIELD.to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    crate::guest::depth(&fields.collect::<Vec<_>>())
}

/// Whether the request has a body, be it empty: a length of 0 counts as one, no length at all does not. HTTP/2 needs no field to say so.
pub(crate) fn has_body(headers: &HeaderMap, body: &Body) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) || !body.is_end_stream()
}

/// The request as the program sees it.
pub(crate) fn head(parts: &Parts, asked: Asked, peer: Peer) -> RequestHead {
    RequestHead {
        method: parts.method.as_str().to_owned(),
        scheme: if peer.tls { Scheme::Https } else { Scheme::Http },
        protocol: format!("{:?}", parts.version),
        server_name: asked.server_name,
        server_port: asked.server_port,
        script_name: asked.script_name,
        target: asked.target,
        headers: parts.headers.iter().map(|(name, value)| header(name, value)).collect(),
        remote_addr: peer.addr.ip().to_canonical().to_string(),
    }
}

fn header(name: &http::HeaderName, value: &http::HeaderValue) -> Header {
    let value = match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => value.to_owned(),
        Err(_) => value.as_bytes().iter().map(|&byte| char::from(byte)).collect(),
    };
    (name.as_str().to_owned(), value)
}
