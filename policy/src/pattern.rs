//! One rule: a regular expression over whole URLs.

use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::{Target, URL_BYTES_MAX};

/// Longest rule.
pub const PATTERN_BYTES_MAX: usize = 1 << 10;

/// How large a compiled rule may be, in steps, since its size itself is not told. The last one is the most:
/// room for a URL of [`PATTERN_BYTES_MAX`], little for `(a{100}){100}`.
///
/// Rules run as they are compiled, without automata that are built on the way: those are faster, and keep
/// megabytes for every rule and thread.
const COMPILED_BYTES: [usize; 4] = [5 << 10, 10 << 10, 20 << 10, 40 << 10];
/// Room for what is put around a rule, besides.
const AROUND_BYTES: usize = 2 << 10;
/// The most that one rule may cost over one URL: a rule runs in time proportional to the bytes of both. Rules of
/// up to 10 KiB run over every URL, the largest ones over URLs of up to 2 KiB. The costliest ones within this take
/// about 25 ms each of two times that they are run. What all rules of a policy may take together is bounded where
/// they are asked ([`Policy::verdict`](crate::Policy::verdict)).
const WORK_MAX: usize = (10 << 10) * URL_BYTES_MAX;

/// A rule of a policy.
///
/// The syntax is Go's and RE2's, as Olin's policies use it; classes such as `\w` are ASCII, as a URL is.
/// Olin looked for a match anywhere in the URL. Here a rule that forbids does the same. A rule that
/// permits must match from the URL's first byte and must not stop inside the host or the port, so that
/// `https://example.com` permits everything below that origin, as it was meant to, and neither
/// `https://example.com.evil.net/` nor `https://evil.net/?https://example.com`, which Olin let through.
/// Olin's policies mean the same under both, but for one: it allows some and disallows everything, and lived by
/// a permitting rule winning there (see [`Policy`](crate::Policy)).
#[derive(Clone, Debug)]
pub struct UrlPattern {
    source: String,
    /// About as large as it is compiled, in bytes.
    bytes: usize,
    anywhere: Regex,
    /// From the start.
    prefix: Regex,
    /// From the start, up to the end of the authority.
    authority: Regex,
}

/// Why a text is not a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing to match.
    #[error("an empty rule matches every URL; write `.*` if that is meant")]
    Empty,
    /// Longer than [`PATTERN_BYTES_MAX`].
    #[error("a rule of {0} bytes is too long: at most {PATTERN_BYTES_MAX}")]
    TooLong(usize),
    /// Too costly to run for every URL.
    #[error("`{0}` needs too much memory: repeat less, or split the rule")]
    TooLarge(String),
    /// Not a regular expression.
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Syntax {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How far a rule that permits agrees with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It permits the URL.
    Yes,
    /// It matches, but elsewhere, or only a part of the host.
    Near,
    /// It does not match.
    No,
}

impl UrlPattern {
    /// Compiles a rule.
    ///
    /// # Errors
    /// [`PatternError`] says what is wrong with it.
    pub fn new(source: &str) -> Result<UrlPattern, PatternError> {
        if source.is_empty() {
            return Err(PatternError::Empty);
        }
        if source.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong(source.len()));
        }
        // The rule alone comes first: `a)|(b` must not become valid by being wrapped.
        let (anywhere, bytes) = compile_in_steps(source)?;
        let around = bytes + AROUND_BYTES;
        let prefix = compile(source, &format!(r"\A(?:{source})"), around)?;
        let authority = compile(source, &format!(r"\A(?:{source})(?:[/?].*)?\z"), around)?;
        Ok(UrlPattern { source: source.to_owned(), bytes, anywhere, prefix, authority })
    }

    /// The rule as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the rule takes too long over this URL to be asked about it.
    pub(crate) fn is_too_costly(&self, target: &Target) -> bool {
        self.bytes.saturating_mul(target.as_str().len()) > WORK_MAX
    }

    /// Whether the rule matches anywhere in the URL: enough to forbid it.
    pub fn matches_anywhere(&self, target: &Target) -> bool {
        self.anywhere.is_match(target.as_str().as_bytes())
    }

    /// Whether the rule permits the URL.
    pub fn permits(&self, target: &Target) -> bool {
        self.fit(target) == Fit::Yes
    }

    pub(crate) fn fit(&self, target: &Target) -> Fit {
        let text = target.as_str().as_bytes();
        let Some(found) = self.prefix.find(text) else {
            return if self.anywhere.is_match(text) { Fit::Near } else { Fit::No };
        };
        let any_host = found.end() <= target.scheme_end();
        let whole_host = found.end() >= target.authority_end();
        // The first alternative that matches may be short where another one reaches the host's end.
        if any_host || whole_host || self.authority.is_match(text) { Fit::Yes } else { Fit::Near }
    }
}

impl PartialEq for UrlPattern {
    fn eq(&self, other: &UrlPattern) -> bool {
        self.source == other.source
    }
}

impl Eq for UrlPattern {}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// A rule as it is, and about how large it is compiled.
fn compile_in_steps(source: &str) -> Result<(Regex, usize), PatternError> {
    let mut result = Err(PatternError::TooLarge(source.to_owned()));
    for bytes in COMPILED_BYTES {
        result = compile(source, source, bytes).map(|regex| (regex, bytes));
        if !matches!(result, Err(PatternError::TooLarge(_))) {
            break;
        }
    }
    result
}

fn compile(source: &str, pattern: &str, bytes_max: usize) -> Result<Regex, PatternError> {
    let compiled = RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(bytes_max)
        .dfa_size_limit(0)
        .nest_limit(50)
        .build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooLarge(source.to_owned()),
        other => PatternError::Syntax { pattern: source.to_owned(), reason: last_line(&other.to_string()) },
    })
}

/// The regular expression parser draws its errors over several lines; the last one says what is wrong.
fn last_line(text: &str) -> String {
    let line = text.lines().next_back().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// A text as a regular expression that matches it alone. Unlike `regex::escape` it leaves `-`, `&`, `#` and
/// `~` as they are, so that what people are shown is as close to the URL as can be.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(pattern: &str, url: &str) -> bool {
        UrlPattern::new(pattern).unwrap().permits(&Target::parse(url).unwrap())
    }

    #[test]
    fn rules_as_olin_policies_write_them_mean_what_they_meant() {
        for (pattern, url) in [
            ("https://printerfacts.cetacean.club", "https://printerfacts.cetacean.club/fact"),
            ("https://printerfacts.cetacean.club", "https://printerfacts.cetacean.club"),
            ("^https://.*$", "https://anything.example/at?all"),
            ("https://", "https://anything.example:8443/"),
            ("https://discordapp.com/api/webhooks", "https://discordapp.com/api/webhooks/1/token"),
            ("^https://xena.greedo.xeserv.us", "https://xena.greedo.xeserv.us/files/hello.txt"),
            ("random://", "random://"),
            ("^log://", "log://?prefix=p"),
            (".*", "zero://"),
            ("https?://example.com", "http://example.com/"),
            (r"https://[^/]*\.example\.com", "https://a.b.example.com/x"),
            (r"https://(a|a\.b)\.example", "https://a.b.example/x"),
            (r"https://(a|a\.b)", "https://a.b/x"),
            (r"https://example.com(:\d+)?", "https://example.com:8443/"),
        ] {
            assert!(permits(pattern, url), "{pattern} permits {url}");
        }
    }

    #[test]
    fn a_rule_permits_nothing_that_only_looks_like_what_it_names() {
        for (pattern, url) in [
            ("https://example.com", "https://example.com.evil.net/"),
            ("https://example.com", "https://evil.net/?u=https://example.com/"),
            ("https://example.com", "https://evil.net/https://example.com/"),
            ("https://example.com", "http://example.com/"),
            ("https://example.com", "https://example.com:8443/"),
            ("https://example.com:80", "https://example.com:8080/"),
            ("https://10.0.0.1", "https://10.0.0.11/"),
            ("example.com", "https://example.com/"),
            ("^https://$", "https://example.com/"),
            ("https://example.com/$", "https://example.com/x"),
        ] {
            assert!(!permits(pattern, url), "{pattern} does not permit {url}");
        }
    }

    #[test]
    fn a_rule_that_forbids_matches_anywhere() {
        let forbids = |rule: &str, url: &str| {
            UrlPattern::new(rule).unwrap().matches_anywhere(&Target::parse(url).unwrap())
        };
        assert!(forbids("/admin", "https://example.com/%61dmin/x"));
        assert!(forbids("example.com", "https://www.example.com:8443/"));
        assert!(!forbids("^http:", "https://example.com/"));
    }

    #[test]
    fn a_text_that_is_no_rule_is_refused_with_its_reason() {
        let error = |text: &str| UrlPattern::new(text).unwrap_err().to_string();
        assert!(error("a)|(?:b").contains("unopened group"), "{}", error("a)|(?:b"));
        assert!(error("(a{1000}){1000}").contains("too much memory"));
        let longest = format!("^https://{}", escape(&".".repeat((PATTERN_BYTES_MAX - 9) / 2)));
        assert!(UrlPattern::new(&longest).is_ok(), "a long URL is no costly rule");
        assert!(UrlPattern::new(&format!("^https://{}", "a".repeat(PATTERN_BYTES_MAX - 9))).is_ok());
        assert!(error("").contains("empty"));
        assert!(error(&"a".repeat(PATTERN_BYTES_MAX + 1)).contains("too long"));
        assert!(error("(?x)a # comment").contains("not a regular expression"));
    }

    #[test]
    fn an_escaped_url_matches_itself_alone() {
        let url = "https://a-b.example/x+y/(1)?q=[a|b]{2}&z=$^*~";
        let rule = format!("^{}$", escape(Target::parse(url).unwrap().as_str()));
        assert!(permits(&rule, url), "{rule}");
        assert!(!permits(&rule, "https://a-b.example/xxy/(1)?q=[a|b]{2}&z=$^*~"));
    }
}
