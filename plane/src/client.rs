//! The HTTP client of both planes, and the addresses that it may speak to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use reqwest::{Certificate, Client, Response, Url};

use crate::ServiceToken;

const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the other side may say nothing: an operator's highest wall limit is 300 s.
pub const SILENCE_MAX: Duration = Duration::from_secs(330);

/// Where the other plane listens, such as `https://10.0.0.2:7443`. Plain http is for loopback only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// A text that is no [`Address`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no address of the other plane: write it like https://10.0.0.2:7443; plain http is for loopback only"
)]
pub struct AddressError(String);

impl Address {
    /// A URL below `/internal/v1/`. What is joined has no character that means something in a URL.
    pub fn internal(&self, path: &str) -> String {
        format!("{}internal/v1/{path}", self.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let error = || AddressError(text.to_owned());
        let url = Url::parse(text).map_err(|_| error())?;
        let loopback = match url.host_str() {
            Some("localhost" | "127.0.0.1" | "[::1]") => true,
            Some(_) => false,
            None => return Err(error()),
        };
        let private = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        if !private || url.path() != "/" || url.query().is_some() || !url.username().is_empty() {
            return Err(error());
        }
        Ok(Address(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client that shows the service token with every request. With `ca_pem` exactly those
/// certificates are trusted; without it, what the system trusts. It follows no redirect and uses
/// no proxy, so that the token goes nowhere else.
///
/// # Errors
///
/// The certificates cannot be read, or TLS cannot be set up.
pub fn client(token: &ServiceToken, ca_pem: Option<&[u8]>) -> Result<Client, reqwest::Error> {
    let mut client = Client::builder()
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, token.authorization())]))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_MAX)
        .read_timeout(SILENCE_MAX);
    if let Some(pem) = ca_pem {
        client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
    }
    client.build()
}

/// The whole body of an answer of at most `max` bytes.
///
/// # Errors
///
/// A text for the log: the answer is larger, or it broke off.
pub async fn bounded(mut response: Response, max: usize) -> Result<Bytes, String> {
    let mut body = BytesMut::new();
    while let Some(part) = response.chunk().await.map_err(|error| chain(&error))? {
        if body.len() + part.len() > max {
            return Err(format!("the answer is larger than {max} bytes"));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// An error with its causes, for the log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_private() {
        for text in
            ["https://10.0.0.2:7443", "https://api.example.net/", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
        for text in
            ["", "10.0.0.2:7443", "http://10.0.0.2", "https://a/b", "https://u:p@a/", "ftp://localhost"]
        {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn internal_addresses_are_below_one_prefix() {
        let address: Address = "https://10.0.0.2:7443".parse().unwrap();
        assert_eq!(address.internal("changes"), "https://10.0.0.2:7443/internal/v1/changes");
    }
}
