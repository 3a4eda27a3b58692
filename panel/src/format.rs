//! Texts and numbers that programs made: what is shown of them, and how.
//!
//! Templates escape HTML; this takes care of what a browser shows otherwise than it is: control characters, and those
//! that change the direction of the text around them.

use std::fmt::Write as _;

use wasmcloud_wire::Timestamp;

use crate::view;

/// How many bytes are shown of what is no text.
pub(crate) const HEX_BYTES_MAX: usize = 256;

/// A duration in microseconds: `340 µs`, `1.2 ms`, `12.5 s`.
pub(crate) fn us(us: &u64) -> String {
    match *us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{} ms", tenths(us / 100)),
        _ => view::duration_ms(us / 1_000),
    }
}

/// A large count with one of the prefixes of SI: `999`, `1.2 k`, `2 G`.
pub(crate) fn si(count: &u64) -> String {
    for (unit, name) in [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if *count >= unit {
            return format!("{} {name}", tenths(count / (unit / 10)));
        }
    }
    count.to_string()
}

/// A number of tenths, without those of a whole number.
fn tenths(tenths: u64) -> String {
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// A number of bytes.
pub(crate) fn size(bytes: &u64) -> String {
    view::bytes(*bytes)
}

/// A number.
pub(crate) fn number(count: &u64) -> String {
    view::count(*count)
}

/// The time of day in UTC, to the millisecond: `08:09:10.123`.
pub(crate) fn clock(at: &Timestamp) -> String {
    at.rfc3339().get(11..23).unwrap_or_default().to_owned()
}

/// Whether a browser would show it otherwise than it is: it has no shape of its own, or turns others round.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn show(text: &mut String, character: char) {
    match character {
        // The pictures of control characters stand in their order.
        '\0'..='\x1f' => text.extend(char::from_u32(0x2400 + u32::from(character))),
        '\x7f' => text.push('\u{2421}'),
        _ => drop(write!(text, "‹U+{:04X}›", u32::from(character))),
    }
}

/// A text of one line, with what cannot be seen made visible.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) { show(&mut shown, character) } else { shown.push(character) }
    }
    shown
}

/// A text of lines: line ends and tabs stay, everything else that cannot be seen is made visible.
pub(crate) fn visible_lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' | '\t' => shown.push(character),
            '\r' if characters.peek() == Some(&'\n') => {}
            _ if is_hidden(character) => show(&mut shown, character),
            _ => shown.push(character),
        }
    }
    shown
}

/// The text that bytes are, if they are one: UTF-8, perhaps cut within its last character, without zeros.
pub(crate) fn text_of(bytes: &[u8], is_cut: bool) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then(|| visible_lines(text))
}

/// The first bytes of what is no text, in hexadecimal digits: sixteen a line.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for (line, sixteen) in bytes.iter().take(HEX_BYTES_MAX).collect::<Vec<_>>().chunks(16).enumerate() {
        let _ = write!(shown, "{:04x} ", line * 16);
        for byte in sixteen {
            let _ = write!(shown, " {byte:02x}");
        }
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_counts_have_a_unit_that_fits() {
        for (value, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1 ms"),
            (1_250, "1.2 ms"),
            (999_999, "999.9 ms"),
            (1_000_000, "1 s"),
            (12_540_000, "12.5 s"),
            (70_000_000, "1 min 10 s"),
        ] {
            assert_eq!(us(&value), text);
        }
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1 k"),
            (1_260, "1.2 k"),
            (2_000_000_000, "2 G"),
            (u64::MAX, "18446744 T"),
        ] {
            assert_eq!(si(&value).replace(".0", ""), text.replace(".0", ""), "{value}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_made_visible() {
        assert_eq!(visible("a\u{1b}[31mb\r\n\u{7f}\0"), "a\u{241b}[31mb\u{240d}\u{240a}\u{2421}\u{2400}");
        assert_eq!(visible("a\u{202e}b\u{85}\u{feff}"), "a‹U+202E›b‹U+0085›‹U+FEFF›");
        assert_eq!(visible("käse 📖 <b>"), "käse 📖 <b>");
        assert_eq!(visible_lines("a\r\n\tb\rc\u{200b}"), "a\n\tb\u{240d}c‹U+200B›");
    }

    #[test]
    fn only_text_is_shown_as_text() {
        assert_eq!(text_of("grün".as_bytes(), false).as_deref(), Some("grün"));
        assert_eq!(text_of(&"grün".as_bytes()[..3], true).as_deref(), Some("gr"));
        assert_eq!(text_of(&"grün".as_bytes()[..3], false), None);
        assert_eq!(text_of(b"\xff\xfe", true), None);
        assert_eq!(text_of(b"a\0b", false), None);
        assert_eq!(hex_of(b"\0asm"), "0000  00 61 73 6d\n");
        assert_eq!(hex_of(&[7; 40]).lines().count(), 3);
        assert_eq!(hex_of(&[7; 5_000]).lines().count(), HEX_BYTES_MAX / 16);
    }

    #[test]
    fn a_clock_has_milliseconds() {
        assert_eq!(clock(&Timestamp(1_795_219_750_123)), "00:09:10.123");
    }
}
