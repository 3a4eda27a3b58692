//! Local redirects: the request that a program asks for with `Location: /path`.

use wasmcloud_wire::RequestHead;

/// The request that a local redirect makes of the one that led to it (RFC 3875 section 6.2.2).
///
/// It has no body and asks with `GET` (`HEAD` stays `HEAD`), as Apache does; fields that describe
/// the old body go. A target that begins with the handler's prefix (`/~hello/x`) and one that does
/// not (`/x`) name the same path, since a redirect never leaves its handler.
pub fn redirected(request: &RequestHead, target: &str) -> RequestHead {
    let mut next = request.clone();
    if next.method != "HEAD" {
        next.method = "GET".to_owned();
    }
    next.headers.retain(|(name, _)| !describes_body(name));
    next.target = without_prefix(&request.script_name, target).to_owned();
    next
}

fn describes_body(name: &str) -> bool {
    name.get(..8).is_some_and(|prefix| prefix.eq_ignore_ascii_case("content-"))
        || ["transfer-encoding", "trailer", "expect"].iter().any(|field| field.eq_ignore_ascii_case(name))
}

fn without_prefix<'a>(script_name: &str, target: &'a str) -> &'a str {
    match target.strip_prefix(script_name) {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '?']) => rest,
        _ => target,
    }
}
