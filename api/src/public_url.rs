//! Where people find the API and the panel.

use std::fmt;
use std::str::FromStr;

/// Where people find the API and the panel: an origin, such as `https://cloud.example.net`. The panel's cookies are
/// good for a whole origin, so there is no path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

/// A text that is no public URL.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no public address of the API: write scheme, host and port alone, like http://localhost:3000 or \
     https://cloud.example.net"
)]
pub struct PublicUrlError(String);

impl PublicUrl {
    /// The address of something here; `path` begins with a slash, and its parts are encoded already.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The origin, without a slash at its end.
    pub fn origin(&self) -> &str {
        &self.0
    }

    /// Its host, without the port.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or("", |(_, authority)| authority);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Whether browsers reach it encrypted.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl Default for PublicUrl {
    /// Where `wasmcloud serve` is found on the machine that it runs on.
    fn default() -> PublicUrl {
        PublicUrl("http://localhost:3000".to_owned())
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<PublicUrl, PublicUrlError> {
        let error = || PublicUrlError(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| error())?;
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => ("http", 80),
            Some("https") => ("https", 443),
            _ => return Err(error()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(error)?.to_ascii_lowercase();
        let bare = uri.path_and_query().is_none_or(|target| target.as_str() == "/");
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if !bare || has_user || text.contains('#') {
            return Err(error());
        }
        Ok(PublicUrl(match uri.port_u16().filter(|&port| port != default_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_form() {
        for (text, origin, host) in [
            ("http://LOCALHOST:3000/", "http://localhost:3000", "localhost"),
            ("https://Cloud.example.net:443", "https://cloud.example.net", "cloud.example.net"),
            ("http://[::1]:80", "http://[::1]", "[::1]"),
            ("http://[::1]:81", "http://[::1]:81", "[::1]"),
        ] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!((url.origin(), url.host()), (origin, host));
            assert_eq!(url.join("/device"), format!("{origin}/device"));
        }
    }

    #[test]
    fn other_texts_are_no_public_urls() {
        for text in
            ["", "localhost:3000", "ftp://h", "https://h/panel", "https://h/?a", "https://h/#a", "http://a@h"]
        {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }
}
