//! `Set-Cookie`: a cookie never reaches beyond the host that set it.

use std::borrow::Cow;

/// The cookie without any `Domain` that names something else than `host`.
///
/// The attribute goes, the cookie stays: it is then the handler's own (RFC 6265 section 4.1.2.3), so
/// a program keeps its session wherever it is hosted, and cannot plant a cookie in its neighbours.
/// Read as browsers do: split at every `;`, names without regard to case, quotes mean nothing.
pub(crate) fn confined<'a>(cookie: &'a str, host: &str) -> Cow<'a, str> {
    let reaches_beyond = |attribute: &str| reaches_beyond(attribute, host);
    // The first part is the cookie itself, whatever it is called.
    if !cookie.split(';').skip(1).any(reaches_beyond) {
        return Cow::Borrowed(cookie);
    }
    let mut parts = cookie.split(';');
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for attribute in parts.filter(|attribute| !reaches_beyond(attribute)) {
        kept.push(';');
        kept.push_str(attribute);
    }
    Cow::Owned(kept)
}

fn reaches_beyond(attribute: &str, host: &str) -> bool {
    let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
    if !name.trim().eq_ignore_ascii_case("domain") {
        return false;
    }
    let domain = value.trim();
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    !domain.is_empty() && !domain.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_beyond_the_own_host_is_cut_away() {
        for (cookie, confined_to_host) in [
            ("a=b", "a=b"),
            ("a=b; Domain=hello.example; Path=/", "a=b; Domain=hello.example; Path=/"),
            ("a=b; domain=.HELLO.example", "a=b; domain=.HELLO.example"),
            ("a=b; Domain=example; Path=/", "a=b; Path=/"),
            ("a=b;DOMAIN = .example ;Secure", "a=b;Secure"),
            ("a=b; Domain=hello.example; Domain=example", "a=b; Domain=hello.example"),
            ("a=b; Domain=other.example", "a=b"),
            ("a=b; Domain=\"hello.example\"", "a=b"),
            ("domain=example; HttpOnly", "domain=example; HttpOnly"),
            ("a=\"x; Domain=example\"", "a=\"x"),
            ("a=b; Domain", "a=b; Domain"),
        ] {
            assert_eq!(confined(cookie, "hello.example"), confined_to_host, "{cookie}");
        }
    }
}
