//! Settings that are more than a number or a path.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use wasmcloud_api::{EdgeUrl, PublicUrl, Registration};
use wasmcloud_executor::egress::{IpNet, parse_range};

use crate::failure::Failure;

/// How the server's log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Who may register, read from a flag or a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct RegistrationText(pub Registration);

/// An edge's URL, read from a flag or a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct EdgeUrlText(pub EdgeUrl);

/// Where people find the API and the panel, read from a flag or a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrlText(pub PublicUrl);

/// A database's URL. It may carry a password, so it does not show itself, and whether it is one is asked later:
/// what reads flags shows a value that it cannot take.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

/// What the URL of a database begins with.
const DATABASE_SCHEMES: &[&str] = &["postgres", "postgresql"];
/// Longest scheme that is shown; what is longer may be something else.
const SHOWN_SCHEME_BYTES_MAX: usize = 12;

impl DatabaseUrl {
    /// The URL, if it is one of PostgreSQL; else an error that says no more of it than its scheme.
    pub fn reveal(&self) -> Result<&str, Failure> {
        let scheme = self.0.split_once("://").map(|(scheme, _)| scheme);
        if scheme.is_some_and(|scheme| DATABASE_SCHEMES.contains(&scheme)) {
            return Ok(&self.0);
        }
        let is_shown = |scheme: &&str| {
            !scheme.is_empty()
                && scheme.len() <= SHOWN_SCHEME_BYTES_MAX
                && scheme.bytes().all(|byte| byte.is_ascii_lowercase())
        };
        let found = match scheme.filter(is_shown) {
            Some(scheme) => format!("it begins with {scheme}://"),
            None => "it does not begin with postgres://".to_owned(),
        };
        Err(Failure::usage(
            format!("--database (WASMCLOUD_DATABASE, [api] database) is no URL of PostgreSQL: {found}"),
            "write it like postgres://USER@HOST/NAME; without one, the database is SQLite in the data directory",
        ))
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<DatabaseUrl, Self::Err> {
        Ok(DatabaseUrl(text.to_owned()))
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Several values: separated by commas in a flag or a variable, a list in the file. A value's error names it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct List<T>(pub Vec<T>);

impl<T: std::str::FromStr<Err: std::fmt::Display>> std::str::FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<List<T>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let values = parts.map(|part| part.parse().map_err(|error: T::Err| error.to_string()));
        values.collect::<Result<_, _>>().map(List)
    }
}

/// A range of addresses, or one, read from a flag or a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Range(pub IpNet);

macro_rules! parsed {
    ($ty:ident, $text:ident => $parse:expr) => {
        impl std::str::FromStr for $ty {
            type Err = String;

            fn from_str($text: &str) -> Result<$ty, String> {
                $parse
            }
        }

        impl TryFrom<String> for $ty {
            type Error = String;

            fn try_from(text: String) -> Result<$ty, String> {
                text.parse()
            }
        }
    };
}

/// Where a server listens: an IP address and a port.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen(pub SocketAddr);

/// A DNS server's address, with a port or without.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct DnsServer(pub SocketAddr);

/// Where DNS servers answer.
const DNS_PORT: u16 = 53;

/// A port, read from a flag or a file.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct Port(pub u16);

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Port, String> {
        let port = text.parse().map(Port);
        port.map_err(|_| format!("`{text}` is no port: write a number from 0 to 65535, such as 25"))
    }
}

parsed!(Range, text => parse_range(text).map(Range));
parsed!(DnsServer, text => {
    let with_port = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::from((ip, DNS_PORT))));
    with_port.map(DnsServer).map_err(|_| {
        format!("`{text}` is no DNS server's address: write it like 192.0.2.53, or 127.0.0.1:5353 with a port")
    })
});
parsed!(RegistrationText, text => text.parse().map(RegistrationText));
parsed!(EdgeUrlText, text => text.parse().map(EdgeUrlText).map_err(|error: wasmcloud_api::EdgeUrlError| error.to_string()));
parsed!(PublicUrlText, text => text.parse().map(PublicUrlText).map_err(|error: wasmcloud_api::PublicUrlError| error.to_string()));
parsed!(Listen, text => text.parse().map(Listen).map_err(|_| {
    format!("`{text}` is no address to listen on: write it with an IP address and a port, like 127.0.0.1:3001")
}));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_databases_url_nothing_is_shown_but_a_wrong_scheme() {
        let wrong = |text: &str| text.parse::<DatabaseUrl>().unwrap().reveal().unwrap_err().to_string();
        assert!(wrong("mysql://u:sesame99@h/d").ends_with("it begins with mysql://"));
        for text in [
            "u:sesame99@h/d",
            "postgres:u:sesame99@h",
            "sesame99://h",
            "u:sesame99://h",
            "Postgres://sesame99",
        ] {
            let told = wrong(text);
            assert!(
                told.ends_with("it does not begin with postgres://") && !told.contains("sesame99"),
                "{told}"
            );
        }
        let good: DatabaseUrl = "postgresql://u:sesame99@h/d".parse().unwrap();
        assert_eq!(good.reveal().unwrap(), "postgresql://u:sesame99@h/d");
        assert_eq!(format!("{good:?}"), "[redacted]");
    }

    #[test]
    fn an_address_to_listen_on_has_a_port() {
        assert_eq!("127.0.0.1:1".parse::<Listen>().unwrap().0.port(), 1);
        let told = "3001".parse::<Listen>().unwrap_err();
        assert!(told.contains("`3001`") && told.contains("like 127.0.0.1:3001"), "{told}");
    }
}
