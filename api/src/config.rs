//! What the control plane is told when it starts.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use wasmcloud_listener::TrustedProxies;
use wasmcloud_wire::{HostName, Limits, RouteKey, Scheme};

use crate::{OidcProvider, PublicUrl, ServiceKeys};

/// The file of the settings key, unless an operator says otherwise.
const SETTINGS_KEY_FILE: &str = "settings-key";
/// How many days records are kept unless an operator says otherwise.
const RECORD_DAYS: u32 = 7;
/// How many days the audit log is kept unless an operator says otherwise.
const AUDIT_DAYS: u32 = 365;
/// How many entries of the audit log are kept unless an operator says otherwise.
const AUDIT_ROWS_MAX: u64 = 1_000_000;
/// How many log lines, and how many receipts, are kept unless an operator says otherwise.
const RECORD_ROWS_MAX: u64 = 1_000_000;

/// The control plane's settings, merged and validated by whoever starts it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the key that signs tokens is kept; made at the first start.
    pub jwt_key_file: PathBuf,
    /// Where the key that handlers' settings are encrypted with is kept; made at the first start.
    pub settings_key_file: PathBuf,
    /// Who may register.
    pub registration: Registration,
    /// Under which addresses handlers answer.
    pub edge_url: EdgeUrl,
    /// Where people find the API and the panel.
    pub public_url: PublicUrl,
    /// Where people can sign in besides.
    pub oidc: Vec<OidcProvider>,
    /// What executors sign their requests to `/internal/v1` with; without it that interface is not there at all.
    pub service_keys: Option<ServiceKeys>,
    /// For how many days records are kept.
    pub record_days: u32,
    /// For how many days the audit log is kept.
    pub audit_days: u32,
    /// How many entries of the audit log are kept at most.
    pub audit_rows_max: u64,
    /// How many log lines, and how many receipts, are kept at most.
    pub record_rows_max: u64,
    /// What an invocation may use where its handler's policy says nothing.
    pub limits: Limits,
    /// What a handler's policy may ask for at most: gas, wall time and memory; the other limits are those above.
    pub limits_max: Limits,
    /// The DNS servers that are asked who owns a host; the system's if there are none.
    pub dns_servers: Vec<SocketAddr>,
    /// The proxies that are believed when they say whom a request is from.
    pub trusted_proxies: TrustedProxies,
    /// Hosts that no user may route, nor any below them: the API's own, for instance.
    pub reserved_hosts: Vec<HostName>,
}

impl Config {
    /// Settings with the usual values where there is one: nobody registers, no internal interface,
    /// a week of records, both keys in one folder.
    pub fn new(jwt_key_file: impl Into<PathBuf>, edge_url: EdgeUrl) -> Config {
        let jwt_key_file = jwt_key_file.into();
        Config {
            settings_key_file: jwt_key_file.with_file_name(SETTINGS_KEY_FILE),
            jwt_key_file,
            registration: Registration::Off,
            edge_url,
            public_url: PublicUrl::default(),
            oidc: Vec::new(),
            service_keys: None,
            record_days: RECORD_DAYS,
            audit_days: AUDIT_DAYS,
            audit_rows_max: AUDIT_ROWS_MAX,
            record_rows_max: RECORD_ROWS_MAX,
            limits: Limits::default(),
            limits_max: Limits::ceiling(),
            dns_servers: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            reserved_hosts: Vec::new(),
        }
    }
}

/// Who may register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Nobody.
    Off,
    /// Everybody.
    Open,
    /// Whoever holds an invitation's code.
    Invitation,
}

impl Registration {
    /// The word for it in settings and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Off => "off",
            Registration::Open => "open",
            Registration::Invitation => "invitation",
        }
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Registration {
    type Err = String;

    fn from_str(text: &str) -> Result<Registration, String> {
        match text {
            "off" => Ok(Registration::Off),
            "open" => Ok(Registration::Open),
            "invitation" => Ok(Registration::Invitation),
            other => Err(format!("`{other}` is no way to register: use off, open or invitation")),
        }
    }
}

/// Where the edge is, as users see it: handlers answer at `<scheme>://<name>.<domain>:<port>/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeUrl {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The domain that handlers' names stand before.
    pub domain: String,
    /// The port.
    pub port: u16,
}

/// A text that is no edge URL.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no address of an edge: write it like http://localhost:3001 or https://example.net")]
pub struct EdgeUrlError(String);

impl EdgeUrl {
    /// The host name that a route answers to.
    pub fn host(&self, route: &RouteKey) -> String {
        format!("{route}.{}", self.domain)
    }

    /// A route's host name with the port, where the scheme does not imply it: a `Host` field.
    pub fn authority(&self, route: &RouteKey) -> String {
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => self.host(route),
            (_, port) => format!("{}:{port}", self.host(route)),
        }
    }

    /// A route's address.
    pub fn url(&self, route: &RouteKey) -> String {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        format!("{scheme}://{}/", self.authority(route))
    }
}

impl FromStr for EdgeUrl {
    type Err = EdgeUrlError;

    fn from_str(text: &str) -> Result<EdgeUrl, EdgeUrlError> {
        let error = || EdgeUrlError(text.to_owned());
        let uri: http::Uri = text.parse().map_err(|_| error())?;
        let (scheme, default_port) = match uri.scheme_str() {
            Some("http") => (Scheme::Http, 80),
            Some("https") => (Scheme::Https, 443),
            _ => return Err(error()),
        };
        let domain = uri.host().filter(|host| !host.is_empty()).ok_or_else(error)?.to_ascii_lowercase();
        let bare = uri.path_and_query().is_none_or(|target| target.as_str() == "/");
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if !bare || has_user {
            return Err(error());
        }
        Ok(EdgeUrl { scheme, domain, port: uri.port_u16().unwrap_or(default_port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handlers_address_is_its_name_before_the_domain() {
        let hello: RouteKey = "hello".parse().unwrap();
        let pinned: RouteKey = "v3--hello".parse().unwrap();
        let local: EdgeUrl = "http://localhost:3001".parse().unwrap();
        assert_eq!(local.url(&hello), "http://hello.localhost:3001/");
        assert_eq!(local.url(&pinned), "http://v3--hello.localhost:3001/");
        let public: EdgeUrl = "https://Example.net/".parse().unwrap();
        assert_eq!(public.url(&hello), "https://hello.example.net/");
    }

    #[test]
    fn other_texts_are_no_edge_urls() {
        for text in ["", "localhost:3001", "ftp://localhost", "http://localhost/path", "http://a@localhost"] {
            assert!(text.parse::<EdgeUrl>().is_err(), "{text}");
        }
    }
}
