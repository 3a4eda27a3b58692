//! h: one function that prints one character.

use super::Host;
use crate::guest::Stop;

/// What stands before an h program's output when it answers a request.
pub(crate) const HEADER: &[u8] = b"Content-Type: text/plain; charset=utf-8\n\n";

/// `h`.`h`: prints the character with this code point. What is no character prints as U+FFFD.
pub(crate) fn print(host: &mut Host<'_>, code: i32) -> Result<(), Stop> {
    let character = char::from_u32(code.cast_unsigned()).unwrap_or(char::REPLACEMENT_CHARACTER);
    host.session.write_stdout(character.encode_utf8(&mut [0; 4]).as_bytes())
}
