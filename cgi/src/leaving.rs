//! What of the fields of a program that speaks HTTP itself reaches the client: the same as of a CGI program's.

use wasmcloud_wire::Header;

use crate::{cookie, field};

/// The fields of an answer to a request for `host` that may leave the platform, names in lower case.
/// `Content-Length` is left out: whoever frames the body says it.
pub fn leaving<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>, host: &str) -> Vec<Header> {
    let mut headers = Vec::new();
    let mut connection = Vec::new();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let value = field::text(value);
        match name.as_str() {
            "content-length" => {}
            "connection" => {
                connection.extend(value.split(',').map(|option| option.trim().to_ascii_lowercase()));
            }
            "set-cookie" => headers.push((name, cookie::confined(&value, host).into_owned())),
            _ if field::may_leave(&name) => headers.push((name, value.into_owned())),
            _ => {}
        }
    }
    headers.retain(|(name, _)| !connection.contains(name));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_are_the_programs_own_business_leave() {
        let fields: [(&str, &[u8]); 8] = [
            ("Content-Type", b"text/plain"),
            ("Content-Length", b"5"),
            ("Connection", b"close, X-Hop"),
            ("X-Hop", b"1"),
            ("Strict-Transport-Security", b"max-age=1"),
            ("X-Accel-Redirect", b"/etc/passwd"),
            ("Set-Cookie", b"a=1; Domain=example.com"),
            ("X-Latin", b"\xe9"),
        ];
        let left = leaving(fields.into_iter(), "hello.example.net");
        let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["content-type", "set-cookie", "x-latin"]);
        assert!(!left[1].1.to_ascii_lowercase().contains("domain="), "{left:?}");
        assert_eq!(left[2].1, "\u{e9}");
    }
}
