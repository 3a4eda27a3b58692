//! The panel's own cookies, which are no handler's to see or to set.
//!
//! Browsers keep cookies by host, whatever the port (RFC 6265, 8.5). Where handlers answer below the path of a host
//! that the panel is on as well, as on a laptop's `localhost`, the panel's session would otherwise go to every handler
//! there.

use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// What the names of the panel's cookies begin with.
const PANEL: &str = "__Host-wasmcloud";

/// Takes the panel's cookies out of a request.
pub(crate) fn hide_panels(headers: &mut HeaderMap) {
    let has = |value: &HeaderValue| is_inside(value.as_bytes());
    if !headers.get_all(COOKIE).iter().any(has) {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all(COOKIE).iter().filter_map(without_panels).collect();
    headers.remove(COOKIE);
    for value in kept {
        headers.append(COOKIE, value);
    }
}

/// Whether a field of an answer would set one of the panel's cookies.
pub(crate) fn sets_panels(name: &http::HeaderName, value: &HeaderValue) -> bool {
    name == SET_COOKIE && begins(value.as_bytes().trim_ascii_start())
}

/// A `Cookie` field without the panel's cookies; nothing if nothing is left.
fn without_panels(value: &HeaderValue) -> Option<HeaderValue> {
    let pairs: Vec<&[u8]> = value
        .as_bytes()
        .split(|&byte| byte == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !pair.is_empty() && !begins(pair))
        .collect();
    if pairs.is_empty() { None } else { HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok() }
}

fn begins(text: &[u8]) -> bool {
    text.get(..PANEL.len()).is_some_and(|start| start.eq_ignore_ascii_case(PANEL.as_bytes()))
}

fn is_inside(text: &[u8]) -> bool {
    text.windows(PANEL.len()).any(|part| part.eq_ignore_ascii_case(PANEL.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_see_all_cookies_but_the_panels() {
        for (sent, seen) in [
            ("a=1; b=2", vec!["a=1; b=2"]),
            ("a=1; __Host-wasmcloud=secret; b=2", vec!["a=1; b=2"]),
            ("__host-wasmcloud-visitor=secret;a=1", vec!["a=1"]),
            ("__Host-wasmcloud=secret", vec![]),
            ("a=__Host-wasmcloud", vec!["a=__Host-wasmcloud"]),
            ("__Host-mine=1", vec!["__Host-mine=1"]),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_static(sent));
            hide_panels(&mut headers);
            let left: Vec<_> = headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(left, seen, "{sent}");
        }
    }

    #[test]
    fn handlers_set_all_cookies_but_the_panels() {
        let sets = |text: &'static str| sets_panels(&SET_COOKIE, &HeaderValue::from_static(text));
        assert!(sets("__Host-wasmcloud=mine; Secure; Path=/"));
        assert!(sets(" __HOST-wasmcloud-flash=mine"));
        assert!(!sets("a=1") && !sets("__Host-a=1") && !sets("a=__Host-wasmcloud"));
    }
}
