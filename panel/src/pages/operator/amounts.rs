//! Amounts as people write them: `500 MiB`, `1 h`, `6000`. Nothing is no limit.

/// What is wrong with an amount, and what to do.
type Wrong = (String, &'static str);

const BYTES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const MILLISECONDS: [(&str, u64); 4] = [("h", 3_600_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

/// A number.
pub(super) fn count(text: &str) -> Result<Option<u64>, Wrong> {
    let digits: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
    match digits.parse() {
        _ if digits.is_empty() => Ok(None),
        Ok(count) => Ok(Some(count)),
        Err(_) => Err((format!("`{text}` is no number"), "write one, such as 6000, or nothing for no limit")),
    }
}

/// A number of bytes.
pub(super) fn bytes(text: &str) -> Result<Option<u64>, Wrong> {
    let hint = "write it with its unit, such as `500 MiB` or `2 GiB`, or nothing for no limit";
    amount(text, &BYTES).ok_or_else(|| (format!("`{text}` is no size"), hint))
}

/// A time in milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<Option<u64>, Wrong> {
    let hint = "write it with its unit, such as `1 h`, `90 min` or `30 s`, or nothing for no limit";
    amount(text, &MILLISECONDS).ok_or_else(|| (format!("`{text}` is no time"), hint))
}

/// A number of bytes as it is written here, in the largest unit that it has a whole number of.
pub(super) fn of_bytes(bytes: u64) -> String {
    written(bytes, &BYTES)
}

/// A time in milliseconds as it is written here.
pub(super) fn of_milliseconds(ms: u64) -> String {
    written(ms, &MILLISECONDS)
}

/// Nothing if it is no amount; an inner nothing if there is none.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<Option<u64>> {
    let text: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
    if text.is_empty() {
        return Some(None);
    }
    let (digits, unit) = text.split_at(text.find(|sign: char| !sign.is_ascii_digit())?);
    let (_, size) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    Some(Some(digits.parse::<u64>().ok()?.checked_mul(*size)?))
}

fn written(amount: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, size)| amount >= *size && amount.is_multiple_of(*size));
    let (unit, size) = fitting.or(units.last()).copied().unwrap_or(("", 1));
    format!("{} {unit}", amount / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        for amount in [0, 1, 1023, 1024, 500 << 20, (500 << 20) + 1, 3 << 40] {
            assert_eq!(bytes(&of_bytes(amount)), Ok(Some(amount)));
            assert_eq!(milliseconds(&of_milliseconds(amount)), Ok(Some(amount)));
        }
        assert_eq!(of_bytes(500 << 20), "500 MiB");
        assert_eq!(of_milliseconds(5_400_000), "90 min");
    }

    #[test]
    fn nothing_is_no_limit_and_nonsense_is_told() {
        assert_eq!((count(" "), bytes(""), milliseconds("")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(
            (count("6 000"), bytes("2gib"), milliseconds("1H")),
            (Ok(Some(6000)), Ok(Some(2 << 30)), Ok(Some(3_600_000)))
        );
        for text in ["-1", "much", "1.5"] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["500", "MiB", "1.5 GiB", "5 apples", "99999999999 TiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(milliseconds("1 day").unwrap_err().1.contains("`1 h`"));
    }
}
