//! Text from programs and clients, made fit for one line of a log.

use std::borrow::Cow;
use std::fmt::Write as _;

use wasmcloud_wire::limits::LOG_LINE_CHARS_MAX;

/// Most characters of a line that a message quotes.
const QUOTE_CHARS_MAX: usize = 160;

/// What stands at the end of a log line that was cut.
const LINE_MARKER: &str = " …[line cut]";

/// A program's line, printable: control characters and what is no UTF-8 become `\n`, `\x1b`,
/// `\u{202e}`; at most [`LOG_LINE_CHARS_MAX`] characters with the marker where it was cut.
///
/// A backslash stays as it is: the line is to be read, not to be parsed back.
pub fn escape(text: &[u8]) -> Cow<'_, str> {
    escape_to(text, LOG_LINE_CHARS_MAX, LINE_MARKER)
}

/// [`escape`] with a limit and a marker of one's own. The marker counts towards the limit.
pub fn escape_to<'a>(text: &'a [u8], chars_max: usize, marker: &str) -> Cow<'a, str> {
    if text.len() <= chars_max
        && let Ok(text) = std::str::from_utf8(text)
        && text.chars().all(is_printable)
    {
        return Cow::Borrowed(text);
    }
    let mut line = Line::new(text.len(), chars_max, marker);
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            if !line.push(char) {
                return Cow::Owned(line.cut(marker));
            }
        }
        for byte in chunk.invalid() {
            if !line.push_escaped(format_args!("\\x{byte:02x}")) {
                return Cow::Owned(line.cut(marker));
            }
        }
    }
    Cow::Owned(line.text)
}

/// A part of a message: short, printable.
pub(crate) fn quote(text: &[u8]) -> String {
    escape_to(text, QUOTE_CHARS_MAX, "…").into_owned()
}

/// Text that grows up to a number of characters, and knows where to cut to make room for a marker.
struct Line {
    text: String,
    chars: usize,
    chars_max: usize,
    /// The length, in characters, that leaves room for the marker.
    chars_before_marker: usize,
    /// The last length, in bytes, that left it.
    bytes_before_marker: usize,
}

impl Line {
    fn new(bytes: usize, chars_max: usize, marker: &str) -> Line {
        Line {
            text: String::with_capacity(bytes.min(chars_max) + marker.len()),
            chars: 0,
            chars_max,
            chars_before_marker: chars_max.saturating_sub(marker.chars().count()),
            bytes_before_marker: 0,
        }
    }

    /// Returns whether there was room.
    fn push(&mut self, char: char) -> bool {
        match char {
            '\n' => self.push_escaped(format_args!("\\n")),
            '\r' => self.push_escaped(format_args!("\\r")),
            '\t' => self.push_escaped(format_args!("\\t")),
            '\0'..='\x7f' if char.is_control() => {
                self.push_escaped(format_args!("\\x{:02x}", u32::from(char)))
            }
            _ if !is_printable(char) => self.push_escaped(format_args!("\\u{{{:x}}}", u32::from(char))),
            _ => {
                if self.chars == self.chars_max {
                    return false;
                }
                self.text.push(char);
                self.chars += 1;
                self.mark();
                true
            }
        }
    }

    /// Returns whether there was room. An escape is kept as a whole or not at all.
    fn push_escaped(&mut self, escaped: std::fmt::Arguments<'_>) -> bool {
        let before = self.text.len();
        // Writing to a `String` cannot fail.
        let _ = self.text.write_fmt(escaped);
        // Escapes are ASCII: as many characters as bytes.
        let chars = self.chars + (self.text.len() - before);
        if chars > self.chars_max {
            self.text.truncate(before);
            return false;
        }
        self.chars = chars;
        self.mark();
        true
    }

    fn mark(&mut self) {
        if self.chars <= self.chars_before_marker {
            self.bytes_before_marker = self.text.len();
        }
    }

    fn cut(mut self, marker: &str) -> String {
        self.text.truncate(self.bytes_before_marker);
        self.text.push_str(marker);
        self.text
    }
}

/// Neither a control character, nor a line end of Unicode's, nor one that changes the direction of
/// the text after it: a log line must not be able to pass for another.
fn is_printable(char: char) -> bool {
    !char.is_control()
        && !matches!(char,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_is_not_copied() {
        assert!(matches!(escape("grüße, 世界".as_bytes()), Cow::Borrowed("grüße, 世界")));
    }

    #[test]
    fn control_characters_and_broken_text_become_printable() {
        for (text, escaped) in [
            (&b"a\tb\r\n"[..], r"a\tb\r\n"),
            (b"\x1b[31mred\x7f\x00", r"\x1b[31mred\x7f\x00"),
            (b"caf\xe9 \xff\xfe", r"caf\xe9 \xff\xfe"),
            ("\u{85}\u{202e}x\u{2028}".as_bytes(), r"\u{85}\u{202e}x\u{2028}"),
            (b"C:\\temp", r"C:\temp"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let exact = "é".repeat(LOG_LINE_CHARS_MAX);
        assert_eq!(escape(exact.as_bytes()), exact);
        for long in ["é".repeat(LOG_LINE_CHARS_MAX + 1), "\u{1b}".repeat(LOG_LINE_CHARS_MAX)] {
            let cut = escape(long.as_bytes());
            assert!(cut.chars().count() <= LOG_LINE_CHARS_MAX, "{}", cut.chars().count());
            assert!(cut.ends_with(LINE_MARKER));
        }
        assert_eq!(escape_to(b"abc\x1b", 6, "…"), "abc…");
        assert_eq!(escape_to(b"abc\x1b", 7, "…"), r"abc\x1b");
    }
}
