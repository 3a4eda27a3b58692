//! How deep handlers call handlers: counted in a header field, so that a loop through the network ends.

use crate::Header;
use crate::limits::CALL_DEPTH_MAX;

/// The field that an executor sets in every outbound request: how many handlers it has come through.
pub const DEPTH_FIELD: &str = "wasmcloud-depth";

/// How many handlers a request has come through. Of several fields the deepest counts, and what is no
/// number counts as too deep: nobody gets a smaller depth by adding a field.
pub fn depth(headers: &[Header]) -> u32 {
    let fields = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(DEPTH_FIELD));
    fields.map(|(_, value)| value.trim().parse().unwrap_or(CALL_DEPTH_MAX)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth_of(values: &[&str]) -> u32 {
        let headers: Vec<Header> =
            values.iter().map(|value| (DEPTH_FIELD.to_owned(), (*value).to_owned())).collect();
        depth(&headers)
    }

    #[test]
    fn the_deepest_field_counts_and_nonsense_is_too_deep() {
        for (values, expected) in [
            (&[][..], 0),
            (&["0"], 0),
            (&["3"], 3),
            (&["3", "1"], 3),
            (&["x"], CALL_DEPTH_MAX),
            (&["-1", "0"], CALL_DEPTH_MAX),
            (&["99999999999"], CALL_DEPTH_MAX),
        ] {
            assert_eq!(depth_of(values), expected, "{values:?}");
        }
    }
}
