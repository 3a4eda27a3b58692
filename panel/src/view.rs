//! How values are shown: times, sizes, counts. Templates call these, as in `{{ crate::view::time(row.created_at) }}`.

use askama::filters::HtmlSafeOutput;
use wasmcloud_wire::Timestamp;

/// What is HTML already.
pub(crate) type Html = HtmlSafeOutput<String>;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A point in time as a `<time>` element: to the minute for people, to the millisecond for programs, both in UTC.
pub(crate) fn time(at: impl Into<Moment>) -> Html {
    let Moment(at) = at.into();
    let exact = at.rfc3339();
    HtmlSafeOutput(format!("<time datetime=\"{exact}\">{}</time>", minute(&exact)))
}

/// The same to the second for people too: where one looks for what happened just then.
pub(crate) fn time_exact(at: impl Into<Moment>) -> Html {
    let Moment(at) = at.into();
    let exact = at.rfc3339();
    HtmlSafeOutput(format!("<time datetime=\"{exact}\">{}</time>", shown(&exact, 19)))
}

/// The same, or a word where there is none. The word is ours, and holds no HTML.
pub(crate) fn time_or(at: &Option<Timestamp>, otherwise: &'static str) -> Html {
    at.map_or_else(|| HtmlSafeOutput(otherwise.to_owned()), time)
}

/// A point in time, borrowed or not, as templates have it.
pub(crate) struct Moment(Timestamp);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Moment {
        Moment(at)
    }
}

impl From<&Timestamp> for Moment {
    fn from(at: &Timestamp) -> Moment {
        Moment(*at)
    }
}

impl From<&&Timestamp> for Moment {
    fn from(at: &&Timestamp) -> Moment {
        Moment(**at)
    }
}

/// `22 Nov 2026, 08:09 UTC`, of `2026-11-22T08:09:10.123Z`.
fn minute(exact: &str) -> String {
    shown(exact, 16)
}

/// The day, and the time of it up to this place of the exact one.
fn shown(exact: &str, end: usize) -> String {
    let part = |from: usize, to: usize| exact.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    match month {
        Some(month) => {
            let day = part(8, 10).trim_start_matches('0');
            format!("{day} {month} {}, {} UTC", part(0, 4), part(11, end))
        }
        None => exact.to_owned(),
    }
}

/// A number of bytes: `512 B`, `1.5 KiB`, `500 MiB`.
pub(crate) fn bytes(count: impl Into<u64>) -> String {
    let count = count.into();
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let (mut tenths, mut unit) = (count.saturating_mul(10) / 1024, "KiB");
    for larger in units.into_iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, larger);
    }
    match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
    }
}

/// A number with spaces that do not break between its thousands: `12 345`.
pub(crate) fn count(count: impl Into<u64>) -> String {
    let digits = count.into().to_string();
    let mut text = String::with_capacity(digits.len() + 8);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// A duration in milliseconds: `340 ms`, `12.5 s`, `4 min 10 s`, `1 h 5 min`.
pub(crate) fn duration_ms(ms: impl Into<u64>) -> String {
    let ms = ms.into();
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 if ms % 1000 < 100 => format!("{seconds} s"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => two(seconds / 60, "min", seconds % 60, "s"),
        _ => two(seconds / 3600, "h", seconds % 3600 / 60, "min"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_to_the_minute_and_kept_exact() {
        assert_eq!(
            time(Timestamp(1_795_219_750_123)).0,
            "<time datetime=\"2026-11-21T00:09:10.123Z\">21 Nov 2026, 00:09 UTC</time>"
        );
        assert_eq!(time(Timestamp(0)).0.split_once('>').unwrap().1, "1 Jan 1970, 00:00 UTC</time>");
        assert_eq!(
            time_exact(Timestamp(1_795_219_750_123)).0,
            "<time datetime=\"2026-11-21T00:09:10.123Z\">21 Nov 2026, 00:09:10 UTC</time>"
        );
        assert_eq!(time_or(&None, "never").0, "never");
    }

    #[test]
    fn sizes_counts_and_durations_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (524_288_000, "500 MiB"),
            (u64::MAX, "1677721.5 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(count(7_u64), "7");
        assert_eq!(count(1_234_567_u64), "1\u{a0}234\u{a0}567");
        for (ms, text) in [
            (0_u64, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (12_540, "12.5 s"),
            (250_000, "4 min 10 s"),
            (3_600_000, "1 h"),
            (3_900_000, "1 h 5 min"),
        ] {
            assert_eq!(duration_ms(ms), text);
        }
    }
}
