//! A URL, read once: what the policy is asked about is what is connected to.

use std::fmt;
use std::str::FromStr;

use url::{Host, Position, Url};

/// Longest URL that can be opened (PROMISES.md: URL).
pub const URL_BYTES_MAX: usize = 8 << 10;

/// Schemes that are spoken over a network connection.
pub const NETWORK_SCHEMES: [&str; 5] = ["http", "https", "ws", "wss", "gemini"];

/// A URL in its one normal form.
///
/// Scheme and host are in lower case, the host is ASCII and without a final dot, numbers in any spelling
/// (`0x7f.1`, `2130706433`) are IP addresses, the scheme's own port and dot segments are gone, and so is
/// a fragment, which is never sent. A URL with a user name or password is refused: `https://bank@evil/`
/// means `evil`, and not everybody reads it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: Option<Host<String>>,
    /// The URL as rules see it: as above, and with `%61` written as `a` where both mean the same.
    text: String,
    scheme_end: usize,
    authority_end: usize,
}

/// Why a text is not a URL that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than [`URL_BYTES_MAX`].
    #[error("a URL of {0} bytes is too long: at most {URL_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not a URL.
    #[error("`{url}` is not a URL: {reason}; write it in full, like https://example.com/path")]
    Invalid {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It has a user name or a password.
    #[error("the URL for {host} has a user name or a password in it; send it in an Authorization header")]
    Credentials {
        /// The host that it would have opened.
        host: String,
    },
}

impl Target {
    /// Reads a URL of any scheme.
    ///
    /// # Errors
    /// [`TargetError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Target, TargetError> {
        if text.len() > URL_BYTES_MAX {
            return Err(TargetError::TooLong(text.len()));
        }
        let invalid = |reason: String| TargetError::Invalid { url: text.to_owned(), reason };
        let mut url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            let host = url.host_str().unwrap_or_default().to_owned();
            return Err(TargetError::Credentials { host });
        }
        url.set_fragment(None);
        let network = NETWORK_SCHEMES.contains(&url.scheme());
        let host = if network { Some(normal_host(&mut url).map_err(invalid)?) } else { None };
        let scheme_end = url[..Position::BeforeHost].len();
        let authority_end = url[..Position::AfterPort].len();
        let (authority, rest) = url.as_str().split_at_checked(authority_end).unwrap_or((url.as_str(), ""));
        let text = format!("{authority}{}", decode_unreserved(rest));
        Ok(Target { host, text, scheme_end, authority_end, url })
    }

    /// The URL as it is sent.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The URL as rules see it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.url.scheme()
    }

    /// The host; `None` for a scheme that is not spoken over the network.
    pub fn host(&self) -> Option<&Host<String>> {
        self.host.as_ref()
    }

    /// The port, the scheme's own if the URL names none.
    pub fn port(&self) -> Option<u16> {
        let own = if self.scheme() == "gemini" { Some(1965) } else { None };
        self.url.port_or_known_default().or(own)
    }

    /// Whether the URL is opened over a connection that is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.scheme(), "https" | "wss" | "gemini")
    }

    /// Whether both have the same scheme, host and port.
    pub fn same_origin(&self, other: &Target) -> bool {
        self.scheme() == other.scheme() && self.host == other.host && self.port() == other.port()
    }

    /// The URL up to its path: `https://example.com`.
    pub fn origin(&self) -> &str {
        self.text.get(..self.authority_end).unwrap_or_default()
    }

    /// The URL up to its query.
    pub(crate) fn without_query(&self) -> &str {
        self.text.split_once('?').map_or(self.text.as_str(), |(before, _)| before)
    }

    /// Where `scheme://` ends.
    pub(crate) fn scheme_end(&self) -> usize {
        self.scheme_end
    }

    /// Where `scheme://host:port` ends.
    pub(crate) fn authority_end(&self) -> usize {
        self.authority_end
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        Target::parse(text)
    }
}

/// Reads the host by the rules for web addresses, whatever the scheme, and writes it back.
fn normal_host(url: &mut Url) -> Result<Host<String>, String> {
    let text = url.host_str().unwrap_or_default().to_owned();
    let text = text.strip_suffix('.').unwrap_or(&text);
    let host = Host::parse(text).map_err(|error| error.to_string())?;
    url.set_host(Some(&host.to_string())).map_err(|error| error.to_string())?;
    if url.port() == Some(1965) && url.scheme() == "gemini" {
        // The URL parser knows the web's ports only.
        url.set_port(None).map_err(|()| "its port cannot be set".to_owned())?;
    }
    Ok(host)
}

/// Writes `%61` as `a`: RFC 3986, section 6.2.2.2, for letters, digits, `-`, `.`, `_` and `~`. Other
/// escapes keep their meaning and get upper case digits.
fn decode_unreserved(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let digits = after.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            decoded.push('%');
            rest = after;
            continue;
        };
        let byte = u8::from_str_radix(digits, 16).unwrap_or(b'%');
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            decoded.push(char::from(byte));
        } else {
            decoded.push('%');
            decoded.push_str(&digits.to_ascii_uppercase());
        }
        rest = after.get(2..).unwrap_or_default();
    }
    decoded.push_str(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        Target::parse(text).unwrap().to_string()
    }

    #[test]
    fn spellings_of_one_url_become_one_text() {
        for (written, read) in [
            ("HTTPS://Example.COM", "https://example.com/"),
            ("https://example.com:443/", "https://example.com/"),
            ("https://example.com./a", "https://example.com/a"),
            ("https://example.com/a/../b/./c?q#f", "https://example.com/b/c?q"),
            ("https://example.com\\admin", "https://example.com/admin"),
            ("https://example.com/%61dmin%2f%c3", "https://example.com/admin%2F%C3"),
            ("https://ex%61mple.com/", "https://example.com/"),
            ("https://bücher.example/", "https://xn--bcher-kva.example/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://2130706433./", "http://127.0.0.1/"),
            ("gemini://EXAMPLE.com:1965/x", "gemini://example.com/x"),
            ("gemini://0177.1/x", "gemini://127.0.0.1/x"),
            ("wss://example.com:443", "wss://example.com/"),
            ("random://", "random://"),
            ("log://?prefix=p", "log://?prefix=p"),
        ] {
            assert_eq!(normal(written), read, "{written}");
        }
    }

    #[test]
    fn a_url_that_misleads_is_refused() {
        for text in
            ["https://bank.example@evil.example/", "https://:p@h/", "", "no scheme", "http://", "http://a b/"]
        {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        let long = format!("https://example.com/{}", "a".repeat(URL_BYTES_MAX));
        assert!(matches!(Target::parse(&long), Err(TargetError::TooLong(_))));
    }

    #[test]
    fn every_scheme_has_its_port() {
        for (text, port) in [("http://h", 80), ("wss://h", 443), ("gemini://h", 1965), ("gemini://h:7", 7)] {
            assert_eq!(Target::parse(text).unwrap().port(), Some(port), "{text}");
        }
        assert_eq!(Target::parse("null://").unwrap().port(), None);
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let a = Target::parse("https://a.example/x").unwrap();
        assert!(a.same_origin(&Target::parse("https://A.example:443/y").unwrap()));
        for other in ["http://a.example/", "https://a.example:444/", "https://b.a.example/"] {
            assert!(!a.same_origin(&Target::parse(other).unwrap()), "{other}");
        }
        assert_eq!(a.origin(), "https://a.example");
    }
}
