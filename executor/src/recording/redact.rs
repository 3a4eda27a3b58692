//! Leaving out of a recording what is nobody's business: credentials, what the handler's owner named, and the
//! values of secret settings wherever they stand.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use wasmcloud_wire::{Call, Header, REDACTED};

/// Fields whose values no recording has.
const ALWAYS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// A shorter value of a setting stands in too many places by chance.
const SECRET_BYTES_MIN: usize = 4;

/// What has to go, and what went.
pub(super) struct Redaction<'a> {
    fields: &'a [String],
    /// The longest first: one may be a part of another.
    secrets: Vec<Vec<u8>>,
    redacted_fields: Vec<String>,
    /// How many places there were, by where they are.
    places: BTreeMap<&'static str, usize>,
}

impl Redaction<'_> {
    pub(super) fn new(call: &Call) -> Redaction<'_> {
        let deployment = &call.deployment;
        let values = deployment.secrets.iter().filter_map(|name| deployment.env.get(name));
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        for value in values.filter(|value| value.len() >= SECRET_BYTES_MIN) {
            secrets.push(value.clone().into_bytes());
            // As it stands within a text of JSON.
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            secrets.extend(inner.filter(|inner| inner != value).map(|inner| inner.as_bytes().to_vec()));
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let fields = deployment.recording.as_ref().map_or(&[][..], |policy| policy.redact.as_slice());
        Redaction { fields, secrets, redacted_fields: Vec::new(), places: BTreeMap::new() }
    }

    /// A request's fields. What a program never sees makes no gap.
    pub(super) fn request_fields(
        &mut self,
        headers: Vec<Header>,
        forward_authorization: bool,
    ) -> Vec<Header> {
        let seen =
            |name: &str| name != "proxy-authorization" && (name != "authorization" || forward_authorization);
        self.all_fields(headers, seen, "the request's header fields")
    }

    /// An answer's fields. A comparison passes over them, so they make no gap of their own.
    pub(super) fn answer_fields(&mut self, headers: Vec<Header>) -> Vec<Header> {
        self.all_fields(headers, |_| false, "the answer's header fields")
    }

    fn all_fields(
        &mut self,
        headers: Vec<Header>,
        is_gap: impl Fn(&str) -> bool,
        place: &'static str,
    ) -> Vec<Header> {
        let field = |(name, value): Header| {
            let lower = name.to_ascii_lowercase();
            if ALWAYS.contains(&lower.as_str()) || self.fields.contains(&lower) {
                if is_gap(&lower) && !self.redacted_fields.contains(&lower) {
                    self.redacted_fields.push(lower);
                }
                return (name, REDACTED.to_owned());
            }
            let value = self.text(&value, place);
            (name, value)
        };
        headers.into_iter().map(field).collect()
    }

    /// A text without the secrets in it.
    pub(super) fn text(&mut self, text: &str, place: &'static str) -> String {
        match self.without(text.as_bytes(), place) {
            // Secrets are whole texts; what is between them, and what escapes left, need not be.
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => text.to_owned(),
        }
    }

    /// Bytes without the secrets in them.
    pub(super) fn bytes(&mut self, bytes: Bytes, place: &'static str) -> Bytes {
        self.without(&bytes, place).map_or(bytes, Bytes::from)
    }

    /// `None` if there is nothing to leave out.
    fn without(&mut self, bytes: &[u8], place: &'static str) -> Option<Vec<u8>> {
        if self.secrets.is_empty() {
            return None;
        }
        let decoded = Decoded::new(bytes);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for secret in &self.secrets {
            ranges.extend(occurrences(bytes, secret).map(|at| at..at + secret.len()));
            ranges
                .extend(occurrences(&decoded.bytes, secret).filter_map(|at| decoded.range(at, secret.len())));
        }
        if ranges.is_empty() {
            return None;
        }
        ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        let (mut out, mut done, mut places) = (Vec::with_capacity(bytes.len()), 0, 0);
        for range in ranges {
            if range.start >= done {
                out.extend_from_slice(bytes.get(done..range.start).unwrap_or_default());
                out.extend_from_slice(REDACTED.as_bytes());
                places += 1;
            }
            done = done.max(range.end);
        }
        out.extend_from_slice(bytes.get(done..).unwrap_or_default());
        *self.places.entry(place).or_default() += places;
        Some(out)
    }

    /// What is missing, in sentences.
    pub(super) fn into_gaps(self) -> Vec<String> {
        let field = |name: String| format!("the value of the field {name} is not recorded");
        let place = |(place, count): (&str, usize)| {
            format!("values of secret settings are not recorded; {place} had {count}")
        };
        self.redacted_fields.into_iter().map(field).chain(self.places.into_iter().map(place)).collect()
    }
}

/// A text as what it means where it is percent-encoded, and where each byte came from.
struct Decoded {
    bytes: Vec<u8>,
    from: Vec<Range<usize>>,
}

impl Decoded {
    fn new(encoded: &[u8]) -> Decoded {
        let mut decoded =
            Decoded { bytes: Vec::with_capacity(encoded.len()), from: Vec::with_capacity(encoded.len()) };
        let mut at = 0;
        while let Some(byte) = encoded.get(at) {
            let (byte, length) = match (byte, encoded.get(at + 1..at + 3).and_then(escaped)) {
                (b'%', Some(byte)) => (byte, 3),
                (b'+', _) => (b' ', 1),
                (byte, _) => (*byte, 1),
            };
            decoded.bytes.push(byte);
            decoded.from.push(at..at + length);
            at += length;
        }
        decoded
    }

    /// Where so many bytes from there on came from.
    fn range(&self, at: usize, bytes: usize) -> Option<Range<usize>> {
        Some(self.from.get(at)?.start..self.from.get((at + bytes).checked_sub(1)?)?.end)
    }
}

fn escaped(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Where a needle begins, also where it overlaps itself; in time that grows with both lengths alone, whatever
/// they are (Knuth, Morris and Pratt, 1977).
fn occurrences<'a>(haystack: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    // At each place of the needle: how much of its beginning ends there.
    let mut borders = vec![0usize; needle.len()];
    let step = move |borders: &[usize], mut matched: usize, byte: u8| {
        while matched > 0 && needle.get(matched) != Some(&byte) {
            matched = matched.checked_sub(1).and_then(|last| borders.get(last)).copied().unwrap_or(0);
        }
        if needle.get(matched) == Some(&byte) { matched + 1 } else { 0 }
    };
    let mut matched = 0;
    for (place, byte) in needle.iter().enumerate().skip(1) {
        matched = step(&borders, matched, *byte);
        if let Some(border) = borders.get_mut(place) {
            *border = matched;
        }
    }
    let mut matched = 0;
    haystack.iter().enumerate().filter_map(move |(at, byte)| {
        matched = step(&borders, matched, *byte);
        (!needle.is_empty() && matched == needle.len()).then(|| at + 1 - needle.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction<'a>(secrets: &[&str], fields: &'a [String]) -> Redaction<'a> {
        let mut secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Redaction { fields, secrets, redacted_fields: Vec::new(), places: BTreeMap::new() }
    }

    #[test]
    fn a_needle_is_found_wherever_it_begins() {
        let found = |haystack: &str, needle: &str| -> Vec<usize> {
            occurrences(haystack.as_bytes(), needle.as_bytes()).collect()
        };
        assert_eq!(found("abababa", "aba"), [0, 2, 4]);
        assert_eq!(found("aabaaabaaac", "aabaaac"), [4]);
        assert_eq!(found("abc", "abcd"), [0usize; 0]);
        assert_eq!(found("aaaa", "aa"), [0, 1, 2]);
        assert_eq!(found("abc", ""), [0usize; 0]);
    }

    #[test]
    fn a_secret_goes_however_it_is_written() {
        for (text, expected) in [
            ("k=p@ss word!&x", "k=[redacted]&x"),
            ("/?k=p%40ss%20word!&x=1", "/?k=[redacted]&x=1"),
            ("/?k=p%40ss+word%21", "/?k=[redacted]"),
            ("%70%40%73%73%20%77%6f%72%64%21", "[redacted]"),
            ("p@ss wordp@ss word!p@ss word!", "p@ss word[redacted][redacted]"),
            ("nothing%2", "nothing%2"),
        ] {
            assert_eq!(redaction(&["p@ss word!"], &[]).text(text, "it"), expected, "{text}");
        }
        // One that overlaps itself or another leaves no rest.
        assert_eq!(redaction(&["aaaa"], &[]).text("xaaaaaay", "it"), "x[redacted]y");
        assert_eq!(redaction(&["abcd", "cdef"], &[]).text("1abcdef2", "it"), "1[redacted]2");
        // A `%` of the secret's own.
        assert_eq!(redaction(&["a%25b"], &[]).text("a%25b a%2525b", "it"), "[redacted] [redacted]");
    }

    #[test]
    fn fields_go_by_name_and_gaps_say_so() {
        let fields = ["x-api-key".to_owned()];
        let mut redaction = redaction(&["s3cret"], &fields);
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let request = vec![
            field("Authorization", "Bearer x"),
            field("cookie", "a=b"),
            field("x-api-key", "k"),
            field("x-other", "is s3cret"),
        ];
        let values: Vec<String> =
            redaction.request_fields(request, false).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["[redacted]", "[redacted]", "[redacted]", "is [redacted]"]);
        let answer = redaction.answer_fields(vec![field("set-cookie", "a=s3cret"), field("etag", "1")]);
        assert_eq!(answer, [field("set-cookie", "[redacted]"), field("etag", "1")]);
        let gaps = redaction.into_gaps();
        assert_eq!(gaps.len(), 3, "{gaps:?}");
        assert!(gaps[0].contains("cookie") && gaps[1].contains("x-api-key"), "{gaps:?}");
        assert!(gaps[2].contains("the request's header fields had 1"), "{gaps:?}");
    }
}
