//! The address of an API server, and where it comes from.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The server that is asked when none is named: the one that `wasmcloud serve` starts.
pub const DEFAULT: &str = "http://localhost:3000";

/// The environment variable that names a server.
pub const ENVIRONMENT: &str = "WASMCLOUD_API_SERVER";

/// An API server's address. Two texts for the same server are equal: `http://h:80` and `http://H/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server(Url);

impl Server {
    /// The address of something at this server; `path` is absolute and its parts already encoded.
    pub fn url(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url
    }

    /// Whether what is sent stays on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether what is sent can be read and changed on its way.
    pub fn is_exposed(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    /// Whether the way to the server is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Server, String> {
        let url = Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| format!("`{text}` is no server's address: it looks like {DEFAULT}"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a server's address carries no user and no password: use `wasmcloud login`".to_owned()
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}` is no server's address: leave away what follows `?` or `#`"));
        }
        Ok(Server(url))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_has_one_address() {
        let server: Server = "http://LOCALHOST:80/".parse().unwrap();
        assert_eq!(server, "http://localhost".parse().unwrap());
        assert_ne!(server, "https://localhost".parse().unwrap());
        assert_ne!(server, "http://localhost:3000".parse().unwrap());
        assert_eq!(server.to_string(), "http://localhost");
    }

    #[test]
    fn paths_go_below_the_servers_own() {
        let server: Server = "https://example.com/wasm/".parse().unwrap();
        assert_eq!(server.url("/api/v1/whoami").as_str(), "https://example.com/wasm/api/v1/whoami");
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in ["", "localhost:3000", "ftp://example.com", "http://", "http://h/?a", "http://h/#a"] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
        let error = "http://me:hunter2@h".parse::<Server>().unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_plain_http_to_another_machine_is_exposed() {
        for (text, exposed) in [
            ("http://localhost:3000", false),
            ("http://127.0.0.1:3000", false),
            ("http://[::1]:3000", false),
            ("https://example.com", false),
            ("http://example.com", true),
            ("http://localhost.example.com", true),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().is_exposed(), exposed, "{text}");
        }
    }
}
