//! Numbers, times and foreign text, as a terminal shows them.

use std::borrow::Cow;

use wasmcloud_wire::Timestamp;

/// A size: `12 B`, `1.5 KiB`, `3.0 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = "KiB";
    for larger in UNITS.into_iter().skip(1) {
        // 1023.95 would print as 1024.0.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// The same with all its digits, for a number that somebody may want to write: `1.5 KiB (1536 bytes)`.
pub fn size_and_bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => size(bytes),
        _ => format!("{} ({bytes} bytes)", size(bytes)),
    }
}

/// A duration given in microseconds: `12 µs`, `1.234 ms`, `2.000 s`.
pub fn duration_us(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{:03} ms", us / 1_000, us % 1_000),
        _ => format!("{}.{:03} s", us / 1_000_000, us / 1_000 % 1_000),
    }
}

/// A number with its thousands apart: `1 234 567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time to the second: `2026-11-21T08:09:10Z`.
pub fn time(at: Timestamp) -> String {
    let text = at.rfc3339();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// `1 line`, `2 lines`.
pub fn plural(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Foreign text without what could drive a terminal: control characters are spelled out. Line
/// ends stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_spelled_out) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_spelled_out(character) {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// The same for text that has to stay on one line.
pub fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n")
}

fn is_spelled_out(character: char) -> bool {
    character.is_control() && character != '\n'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (32 << 20, "32.0 MiB"),
            (3 << 40, "3.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(size_and_bytes(1023), "1023 B");
        assert_eq!(size_and_bytes(1_200_000), "1.1 MiB (1200000 bytes)");
    }

    #[test]
    fn durations_have_three_figures_after_the_point() {
        for (us, text) in [(0, "0 µs"), (999, "999 µs"), (1_234, "1.234 ms"), (61_005_000, "61.005 s")] {
            assert_eq!(duration_us(us), text);
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(time(Timestamp(951_782_399_999)), "2000-02-28T23:59:59Z");
    }

    #[test]
    fn foreign_text_cannot_drive_the_terminal() {
        assert_eq!(printable("plain käse\nnext"), "plain käse\nnext");
        assert_eq!(printable("\u{1b}[2Jgone\r"), "\\u{1b}[2Jgone\\r");
        assert_eq!(one_line("a\nb"), "a\\nb");
    }
}
