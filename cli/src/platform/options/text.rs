//! Settings that are more than a number or a path.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;
use wasmcloud_api::{EdgeUrl, Registration};
use wasmcloud_executor::egress::{IpNet, parse_range};

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

/// A database's URL. It may carry a password, so it does not show itself.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(pub String);

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
parsed!(DatabaseUrl, text => match text.starts_with("postgres://") || text.starts_with("postgresql://") {
    true => Ok(DatabaseUrl(text.to_owned())),
    false => Err("a database's URL begins with postgres://".to_owned()),
});
