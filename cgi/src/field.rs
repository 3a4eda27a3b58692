//! One line of a program's header block, and which fields may leave the platform.

use std::borrow::Cow;

use crate::malformed::Problem;

/// A field's name in lower case, and its value without the space around it.
#[derive(Debug)]
pub(crate) struct Field<'a> {
    pub name: String,
    pub value: Cow<'a, str>,
}

/// Fields of a program's that never reach a client, in lower case.
///
/// The first eight speak of the connection, which is not the program's (RFC 9110 section 7.6.1). The
/// next ask a proxy in front to send files of its own. `alt-svc` and `strict-transport-security`
/// bind a whole host, for longer than the program lives. `date` and `server` are said by the
/// platform, as Apache says them for its programs.
const STRIPPED: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-sendfile",
    "alt-svc",
    "strict-transport-security",
    "date",
    "server",
];

/// Families of fields that never reach a client: what Nginx (`x-accel-redirect` reads its files),
/// lighttpd and H2O obey as `x-sendfile`, and what the platform says about itself.
const STRIPPED_PREFIXES: [&str; 4] = ["x-accel-", "x-lighttpd-", "x-reproxy-", "wasmcloud-"];

/// Whether a field (its name in lower case) may leave the platform.
pub(crate) fn may_leave(name: &str) -> bool {
    !STRIPPED.contains(&name) && !STRIPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Parses a line without its line end. `is_first` makes for a better word about output that has no
/// header at all.
pub(crate) fn parse(line: &[u8], is_first: bool) -> Result<Field<'_>, Problem> {
    if is_first && line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/")) {
        return Err(Problem::StatusLine);
    }
    if let [b' ' | b'\t', ..] = line {
        return Err(if is_first { Problem::NoHeader } else { Problem::Folded });
    }
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return Err(if is_first { Problem::NoHeader } else { Problem::NoColon });
    };
    let (name, value) = line.split_at(colon);
    if name.is_empty() || !name.iter().copied().all(is_token_byte) {
        // `Content-Type : x` is a slip; `<p>Note: x` is no header.
        let is_slip = name.trim_ascii_end().iter().copied().all(is_token_byte) && !name.is_empty();
        return Err(if is_first && !is_slip { Problem::NoHeader } else { Problem::Name });
    }
    let value = trim_blanks(value.strip_prefix(b":").unwrap_or(value));
    if value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(Problem::Control);
    }
    Ok(Field { name: lower_case(name), value: text(value) })
}

/// Takes away spaces and tabs only: a carriage return at the end is no blank, but malformed.
fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn lower_case(token: &[u8]) -> String {
    token.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// Bytes that are no UTF-8 are read as Latin-1, as `wire::Header` says.
pub(crate) fn text(value: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => value.iter().copied().map(char::from).collect(),
    }
}

/// The characters of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
