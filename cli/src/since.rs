//! `--since`: a point in time, as people write it.

use std::fmt;
use std::str::FromStr;

use wasmcloud_wire::Timestamp;

/// The moment from which records are shown: `10m` ago, or a time of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since(pub Timestamp);

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Since, String> {
        parse(text, Timestamp::now()).map(Since).ok_or_else(|| {
            format!(
                "`{text}` is no time: write 30s, 10m, 2h or 7d for that long ago, or 2026-11-21T08:09:10Z"
            )
        })
    }
}

/// As a time of RFC 3339, which means the same moment later too.
impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.rfc3339())
    }
}

fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(unit) = text.chars().last().filter(char::is_ascii_lowercase) {
        let ms_per_unit: i64 = match unit {
            's' => 1_000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let ms = digits(text.strip_suffix(unit)?)?.checked_mul(ms_per_unit)?;
        return now.0.checked_sub(ms).map(Timestamp);
    }
    rfc3339(text)
}

/// `2026-11-21`, `2026-11-21T08:09:10Z`, with a fraction, with an offset, `T` may be a blank.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let day_text = text.get(..10)?;
    let mut parts = day_text.split('-');
    let (year, month, day) = (digits(parts.next()?)?, digits(parts.next()?)?, digits(parts.next()?)?);
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=days_of_month(year, month)).contains(&day)
    {
        return None;
    }
    let day_ms = days_from_civil(year, month, day).checked_mul(86_400_000)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Timestamp(day_ms));
    }
    let rest = rest.strip_prefix(['T', ' '])?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (clock, zone) = rest.split_at_checked(zone_at)?;
    let ms = day_ms.checked_add(clock_ms(clock)?)?.checked_sub(zone_ms(zone)?)?;
    Some(Timestamp(ms))
}

/// `08:09`, `08:09:10`, `08:09:10.123456`; what is finer than a millisecond is dropped.
fn clock_ms(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?)?, digits(parts.next()?)?);
    let second = parts.next().map_or(Some(0), digits)?;
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    digits(fraction)?;
    let ms = fraction.chars().chain("00".chars()).take(3).collect::<String>().parse::<i64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * 1_000 + ms)
}

/// `Z`, `+02:00`, `-05:30`.
fn zone_ms(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Between one and nine decimal digits, and nothing else.
fn digits(text: &str) -> Option<i64> {
    let only_digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a Gregorian date; years begin in March, so that the leap day is last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_219_750_123);

    #[test]
    fn a_length_of_time_counts_back_from_now() {
        for (text, ms) in
            [("0s", 0), ("90s", 90_000), ("10m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse(text, NOW), Some(Timestamp(NOW.0 - ms)), "{text}");
        }
    }

    #[test]
    fn a_time_of_rfc_3339_is_taken_in_its_variants() {
        for (text, at) in [
            ("1970-01-01", "1970-01-01T00:00:00.000Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"),
            ("2026-11-21T00:09:10.123Z", "2026-11-21T00:09:10.123Z"),
            ("2026-11-21 02:09:10.5+02:00", "2026-11-21T00:09:10.500Z"),
            ("2026-11-20T18:39-05:30", "2026-11-21T00:09:00.000Z"),
        ] {
            assert_eq!(parse(text, NOW).map(Timestamp::rfc3339).as_deref(), Some(at), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_is_shown_as_the_moment_that_it_meant() {
        let since: Since = "10m".parse().unwrap();
        assert_eq!(since.to_string().parse(), Ok(since));
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "m",
            "10",
            "10w",
            "-10m",
            "1.5h",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-11-21T",
            "2026-11-21T25:00Z",
            "2026-11-21T08:09:10",
            "2026-11-21T08:09:10+2",
            "2026-11-21é",
            "99999999999d",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }
}
