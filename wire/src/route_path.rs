//! The paths that routes are made of: their one form, and which request belongs to which.

use crate::HostRoute;

/// Longest path of a route, in bytes and in its one form.
pub const ROUTE_PATH_BYTES_MAX: usize = 200;

/// Why a text is no path of a route; the message says how one is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutePathError {
    /// It does not begin with a slash.
    #[error("the path `{0}` does not begin with `/`")]
    Start(String),
    /// It is too long.
    #[error("the path has {0} bytes; a route's has at most {ROUTE_PATH_BYTES_MAX}")]
    Length(usize),
    /// It has a query or a fragment.
    #[error("the path `{0}` has a `?` or a `#`: a route is for paths alone, whatever their query")]
    Query(String),
    /// It has an empty segment, or one that stands for another place.
    #[error("the path `{0}` has a segment that is empty, `.` or `..`")]
    Segment(String),
    /// It has a character that no request's path can have, or one that would not be what it seems to be.
    #[error(
        "the path `{0}` has a `%` without two hexadecimal digits, an encoded slash, a control character, or bytes \
         that are no UTF-8"
    )]
    Character(String),
}

/// A route's path in its one form: `/`, or segments without a slash at the end, in which letters, digits and
/// `-._~!$&'()*+,;=:@` stand for themselves and everything else is `%XX` (RFC 3986 section 3.3).
///
/// # Errors
///
/// It is no path, or one that requests could be taken past.
pub fn route_path(text: &str) -> Result<String, RoutePathError> {
    let own = || text.chars().take(ROUTE_PATH_BYTES_MAX).collect::<String>();
    if !text.starts_with('/') {
        return Err(RoutePathError::Start(own()));
    }
    if text.contains(['?', '#']) {
        return Err(RoutePathError::Query(own()));
    }
    let mut path = String::new();
    let trimmed = if text.len() > 1 { text.strip_suffix('/').unwrap_or(text) } else { text };
    for segment in trimmed.split('/').skip(1) {
        let bytes: Vec<Unit> = units(segment).collect();
        if text != "/" && (bytes.is_empty() || is_dots(bytes.iter().map(|unit| unit.byte))) {
            return Err(RoutePathError::Segment(own()));
        }
        let wrong = |unit: &Unit| unit.byte.is_ascii_control() || unit.byte == b'/' || unit.is_broken;
        let decoded: Vec<u8> = bytes.iter().map(|unit| unit.byte).collect();
        if bytes.iter().any(wrong) || std::str::from_utf8(&decoded).is_err() {
            return Err(RoutePathError::Character(own()));
        }
        path.push('/');
        for byte in decoded {
            match byte {
                byte if stands_for_itself(byte) => path.push(char::from(byte)),
                byte => path.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    if path.len() > ROUTE_PATH_BYTES_MAX {
        return Err(RoutePathError::Length(path.len()));
    }
    Ok(path)
}

impl HostRoute {
    /// How many bytes at the beginning of a request's path, which may be percent-encoded in any way, are this
    /// route's own; nothing if the path is not below it. `/v1` has `/v1` and `/v1/x`, and not `/v10`.
    pub fn covers(&self, path: &str) -> Option<usize> {
        if self.path == "/" {
            return Some(0);
        }
        let mut asked = units(path);
        let mut covered = 0;
        for own in units(&self.path) {
            let unit = asked.next().filter(|unit| unit.byte == own.byte)?;
            covered += unit.len;
        }
        asked.next().is_none_or(|unit| unit.byte == b'/').then_some(covered)
    }

    /// The path as its bytes are meant: what a program gets as `SCRIPT_NAME`.
    pub fn decoded(&self) -> String {
        let bytes: Vec<u8> = units(&self.path).map(|unit| unit.byte).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The most specific of the routes that a path is below, and how much of the path is the route's own.
pub fn find_route<'a>(routes: &'a [HostRoute], path: &str) -> Option<(&'a HostRoute, usize)> {
    let covering = routes.iter().filter_map(|route| route.covers(path).map(|covered| (route, covered)));
    covering.max_by_key(|(_, covered)| *covered)
}

/// Whether a path has a segment `.` or `..` once its encoded slashes are read as slashes: such a path could be
/// below one route by its spelling and below another by what a program makes of it.
pub fn hides_dots(path: &str) -> bool {
    let decoded: Vec<u8> = units(path).map(|unit| unit.byte).collect();
    decoded.split(|&byte| byte == b'/').any(|segment| is_dots(segment.iter().copied()))
}

/// One byte of a path as it is meant, and how many bytes it is written with.
struct Unit {
    byte: u8,
    len: usize,
    /// A `%` without two hexadecimal digits.
    is_broken: bool,
}

fn units(path: &str) -> impl Iterator<Item = Unit> + '_ {
    let mut rest = path.as_bytes();
    std::iter::from_fn(move || {
        let (&byte, after) = rest.split_first()?;
        let hex = |digit: u8| char::from(digit).to_digit(16);
        let unit = match (byte, after) {
            (b'%', [high, low, ..]) => hex(*high)
                .zip(hex(*low))
                .and_then(|(high, low)| u8::try_from(high << 4 | low).ok())
                .map(|byte| Unit { byte, len: 3, is_broken: false }),
            _ => None,
        };
        let unit = unit.unwrap_or(Unit { byte, len: 1, is_broken: byte == b'%' });
        rest = rest.get(unit.len..).unwrap_or_default();
        Some(unit)
    })
}

fn is_dots(mut segment: impl Iterator<Item = u8>) -> bool {
    matches!(
        (segment.next(), segment.next(), segment.next()),
        (Some(b'.'), None, None) | (Some(b'.'), Some(b'.'), None)
    )
}

/// `pchar` of RFC 3986 section 3.3, without percent-encoding.
fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(paths: &[&str]) -> Vec<HostRoute> {
        let handler = "hello".parse().unwrap();
        let route = |path: &&str| HostRoute {
            path: route_path(path).unwrap(),
            handler: Clone::clone(&handler),
            strip_prefix: false,
        };
        paths.iter().map(route).collect()
    }

    #[test]
    fn a_path_has_one_form() {
        for (text, path) in [
            ("/", "/"),
            ("/v1", "/v1"),
            ("/v1/", "/v1"),
            ("/%76%31/a", "/v1/a"),
            ("/%7euser", "/~user"),
            ("/a%2eb/...", "/a.b/..."),
            ("/a b", "/a%20b"),
            ("/käse", "/k%C3%A4se"),
            ("/k%c3%a4se", "/k%C3%A4se"),
            ("/100%25", "/100%25"),
            ("/a:b@c=d,e;f!(g)'*+&$", "/a:b@c=d,e;f!(g)'*+&$"),
        ] {
            assert_eq!(route_path(text).as_deref(), Ok(path), "{text}");
            assert_eq!(route_path(path).as_deref(), Ok(path), "{path} again");
        }
    }

    #[test]
    fn what_is_no_path_of_a_route_is_refused_with_the_rule() {
        for (text, rule) in [
            ("", "begin with"),
            ("v1", "begin with"),
            ("/v1?x", "query"),
            ("/v1#x", "query"),
            ("//", "empty"),
            ("/v1//x", "empty"),
            ("/v1//", "empty"),
            ("/v1/../x", "`..`"),
            ("/./x", "`.`"),
            ("/%2e%2E/x", "`..`"),
            ("/a%2fb", "encoded slash"),
            ("/a%00", "control"),
            ("/a\n", "control"),
            ("/a%", "hexadecimal"),
            ("/a%zz", "hexadecimal"),
            ("/%ff", "UTF-8"),
        ] {
            let error = route_path(text).unwrap_err().to_string();
            assert!(error.contains(rule), "{text}: {error}");
        }
        let at_most = format!("/{}", "a".repeat(ROUTE_PATH_BYTES_MAX - 1));
        assert!(route_path(&at_most).is_ok());
        assert_eq!(route_path(&format!("{at_most}a")), Err(RoutePathError::Length(ROUTE_PATH_BYTES_MAX + 1)));
    }

    #[test]
    fn the_most_specific_route_wins_on_the_boundaries_of_segments() {
        let all = routes(&["/v1/admin", "/v1", "/", "/v10/x", "/käse", "/v1/a b"]);
        for (path, found) in [
            ("/", Some(("/", 0))),
            ("/x", Some(("/", 0))),
            ("/v1", Some(("/v1", 3))),
            ("/v1/", Some(("/v1", 3))),
            ("/v1/x", Some(("/v1", 3))),
            ("/v1//x", Some(("/v1", 3))),
            ("/v10", Some(("/", 0))),
            ("/v10/x", Some(("/v10/x", 6))),
            ("/v10/xy", Some(("/", 0))),
            ("/V1", Some(("/", 0))),
            ("/%761/x", Some(("/v1", 5))),
            ("/v1/%61dmin/y", Some(("/v1/admin", 11))),
            ("/v1%2Fadmin", Some(("/v1/admin", 11))),
            ("/v1/administrator", Some(("/v1", 3))),
            ("/k%c3%a4se/1", Some(("/k%C3%A4se", 10))),
            ("/v1/a%20b", Some(("/v1/a%20b", 9))),
            ("//v1", Some(("/", 0))),
            ("/v1%", Some(("/", 0))),
            ("*", Some(("/", 0))),
        ] {
            let seen = find_route(&all, path).map(|(route, covered)| (route.path.as_str(), covered));
            assert_eq!(seen, found, "{path}");
        }
        let without_root = routes(&["/v1"]);
        for path in ["/", "/v", "/v10", "/x/v1", "", "*"] {
            assert!(find_route(&without_root, path).is_none(), "{path}");
        }
    }

    /// Every path of up to four of these characters and spellings, against every pair of routes of them.
    #[test]
    fn whatever_the_spelling_a_path_is_below_a_route_exactly_if_its_segments_begin_with_the_routes() {
        let parts = ["/", "a", "b", "%61", "%2F", "%62", "."];
        let mut paths = vec![String::from("/")];
        for _ in 0..4 {
            let longer: Vec<String> =
                paths.iter().flat_map(|path| parts.map(|part| format!("{path}{part}"))).collect();
            paths.extend(longer);
            paths.sort_unstable();
            paths.dedup();
        }
        let plain = |path: &str| path.replace("%61", "a").replace("%62", "b").replace("%2F", "/");
        let known: Vec<String> =
            ["/a", "/b", "/a/b", "/ab", "/a.b"].iter().map(|path| (*path).to_owned()).collect();
        for path in &paths {
            let meant = plain(path);
            for route in &known {
                let one = routes(&[route]);
                let below = meant == *route || meant.starts_with(&format!("{route}/"));
                let covered = one[0].covers(path);
                assert_eq!(covered.is_some(), below, "{path} below {route}");
                if let Some(covered) = covered {
                    assert_eq!(plain(&path[..covered]), *route, "{path}: what is covered is the route");
                }
            }
        }
    }

    #[test]
    fn dots_behind_encoded_slashes_are_seen() {
        for path in ["/v1/..%2Fother", "/a%2f..", "/%2e", "/a/..", "/x%2F.%2Fy"] {
            assert!(hides_dots(path), "{path}");
        }
        for path in ["/", "/a.b", "/...", "/a%2Fb", "/..a", "/.hidden"] {
            assert!(!hides_dots(path), "{path}");
        }
    }

    #[test]
    fn the_decoded_path_is_what_its_owner_meant() {
        assert_eq!(routes(&["/a b/käse"])[0].decoded(), "/a b/käse");
    }
}
