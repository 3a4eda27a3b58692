//! Paths: decoding, and the resolution of `.` and `..`.

use std::borrow::Cow;

use crate::variables::RequestError;

/// Resolves `.` and `..` in a request's target, which stays percent-encoded; the query is kept.
///
/// To be called before a path is split into the handler's prefix and the rest, so that
/// `/~one/../~two/x` belongs to `two`. `%2e` counts as a dot (RFC 3986 section 6.2.2.2). A path
/// never climbs above its root: what would is cut away (RFC 3986 section 5.2.4).
pub fn resolve_target(target: &str) -> Cow<'_, str> {
    let (path, query) = match target.find('?') {
        Some(at) => target.split_at(at),
        None => (target, ""),
    };
    let is_dotted = path.split('/').skip(1).any(|segment| encoded_dots(segment.as_bytes()).is_some());
    if !path.starts_with('/') || !is_dotted {
        return Cow::Borrowed(target);
    }
    // Whole segments of valid text are valid text, so nothing is ever lost here.
    let resolved = resolve(path.as_bytes(), encoded_dots);
    let mut resolved = String::from_utf8_lossy(&resolved).into_owned();
    resolved.push_str(query);
    Cow::Owned(resolved)
}

/// Decodes a path and resolves the dot segments that the decoding shows.
///
/// The result is bytes: a decoded path need not be UTF-8. `%2F` becomes `/`, as in Go. The
/// resolution comes after the decoding (as in Apache), so no program sees a `..` segment, however
/// it was written. Malformed percent-encoding is refused, as both references do, and so is NUL.
pub(crate) fn decode(path: &str) -> Result<Vec<u8>, RequestError> {
    if !path.is_empty() && !path.starts_with('/') {
        return Err(RequestError::Path { path: crate::escape::quote(path.as_bytes()) });
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let byte = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                rest = after;
                hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low).ok_or_else(|| encoding(path))?
            }
            (b'%', _) => return Err(encoding(path)),
            (byte, _) => byte,
        };
        if byte == 0 {
            return Err(RequestError::Nul { what: "path" });
        }
        decoded.push(byte);
    }
    if decoded.windows(2).any(|pair| pair == b"/.") {
        decoded = resolve(&decoded, plain_dots);
    }
    Ok(decoded)
}

fn encoding(path: &str) -> RequestError {
    RequestError::PercentEncoding { path: crate::escape::quote(path.as_bytes()) }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Which of the two dot segments a segment is.
#[derive(Clone, Copy)]
enum Dots {
    Same,
    Parent,
}

fn plain_dots(segment: &[u8]) -> Option<Dots> {
    match segment {
        b"." => Some(Dots::Same),
        b".." => Some(Dots::Parent),
        _ => None,
    }
}

fn encoded_dots(segment: &[u8]) -> Option<Dots> {
    let mut dots = 0;
    let mut rest = segment;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return None,
        };
        dots += 1;
    }
    match dots {
        1 => Some(Dots::Same),
        2 => Some(Dots::Parent),
        _ => None,
    }
}

/// RFC 3986 section 5.2.4, for a path that begins with `/`.
fn resolve(path: &[u8], dots: fn(&[u8]) -> Option<Dots>) -> Vec<u8> {
    let mut resolved = Vec::with_capacity(path.len());
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let Some(dots) = dots(segment) else {
            resolved.push(b'/');
            resolved.extend_from_slice(segment);
            continue;
        };
        if let Dots::Parent = dots {
            resolved.truncate(resolved.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
        }
        if segments.peek().is_none() {
            resolved.push(b'/');
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_of_a_target_are_resolved_before_it_is_split() {
        for (target, resolved) in [
            ("/a/b", "/a/b"),
            ("/~one/../~two/x?q=../y", "/~two/x?q=../y"),
            ("/~one/%2e%2E/~two", "/~two"),
            ("/a/./b/.", "/a/b/"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/a%2f..%2fb", "/a%2f..%2fb"),
            ("?q", "?q"),
            ("*", "*"),
        ] {
            assert_eq!(resolve_target(target), resolved, "{target}");
        }
    }
}
