//! Limits of plans as people write them: `500 MiB`, `90min`, `6000`, or `none`.

/// A number, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most(pub Option<u64>);

const BYTES: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
const MILLISECONDS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];

/// So many.
pub fn count(text: &str) -> Result<Most, String> {
    amount(text, &[]).ok_or_else(|| "use a whole number, or `none`".to_owned())
}

/// So many bytes.
pub fn bytes(text: &str) -> Result<Most, String> {
    amount(text, &BYTES)
        .ok_or_else(|| "use a whole number, with a unit if you like: 500 MiB; or `none`".to_owned())
}

/// So many milliseconds.
pub fn milliseconds(text: &str) -> Result<Most, String> {
    amount(text, &MILLISECONDS)
        .ok_or_else(|| "use a whole number, with a unit if you like: 90 min; or `none`".to_owned())
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<Most> {
    if text == "none" {
        return Some(Most(None));
    }
    let split = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (number, unit) = (digits.parse::<u64>().ok()?, unit.trim());
    if unit.is_empty() {
        return Some(Most(Some(number)));
    }
    let (_, size) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    Some(Most(Some(number.checked_mul(*size)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_with_a_unit_perhaps_or_none() {
        assert_eq!(count("7"), Ok(Most(Some(7))));
        assert_eq!(
            (bytes("500 MiB"), bytes("2gib"), bytes("9")),
            (Ok(Most(Some(500 << 20))), Ok(Most(Some(2 << 30))), Ok(Most(Some(9))))
        );
        assert_eq!(
            (milliseconds("90min"), milliseconds("1 h"), milliseconds("5")),
            (Ok(Most(Some(5_400_000))), Ok(Most(Some(3_600_000))), Ok(Most(Some(5))))
        );
        for parse in [count, bytes, milliseconds] {
            assert_eq!(parse("none"), Ok(Most(None)));
            for text in ["", "seven", "-1", "1.5", "1.5 GiB", "MiB", "5 apples", "99999999999 TiB"] {
                assert!(parse(text).is_err(), "{text}");
            }
        }
        assert!(count("5 MiB").is_err() && bytes("5 min").is_err() && milliseconds("5 MiB").is_err());
    }
}
