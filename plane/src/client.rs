//! The HTTP client of both planes, and the addresses that it may speak to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Certificate, Client, RequestBuilder, Response, Url};
use wasmcloud_wire::ErrorBody;

use crate::service_keys::ServiceKeys;
use crate::verifier::UNSIGNED;

const CONNECT_MAX: Duration = Duration::from_secs(2);
/// How long the other side may say nothing: an operator's highest wall limit is 300 s.
pub const SILENCE_MAX: Duration = Duration::from_secs(330);
/// How long what was sent may stay unacknowledged by the other machine.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);
/// How often the other process is asked, while it owes an answer over HTTP/2, whether it is there; and how long
/// it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(5);
const PONG_MAX: Duration = Duration::from_secs(5);
/// Largest error answer that is read, in bytes.
const ERROR_BYTES_MAX: usize = 64 << 10;

/// Where the other plane listens, such as `https://10.0.0.2:3000`. Plain http is for loopback only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Url);

/// A text that is no [`Address`].
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is no address of the other plane: write it like https://10.0.0.2:3000 (an API) or \
     https://10.0.0.3:3002 (an executor); plain http is for loopback only"
)]
pub struct AddressError(String);

impl Address {
    /// A URL below `/internal/v1/`. What is joined has no character that means something in a URL.
    pub fn internal(&self, path: &str) -> String {
        format!("{}{}", self.0, target(path).trim_start_matches('/'))
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

fn target(path: &str) -> String {
    format!("/internal/v1/{path}")
}

/// A client that signs every request. It follows no redirect and uses no proxy: what it sends is for the other
/// plane alone.
#[derive(Clone, Debug)]
pub struct PlaneClient {
    http: Client,
    keys: ServiceKeys,
}

impl PlaneClient {
    /// Signs with the first of these keys. With `ca_pem` exactly those certificates are trusted; without it,
    /// what the system trusts.
    ///
    /// # Errors
    ///
    /// The certificates cannot be read, or TLS cannot be set up.
    pub fn new(keys: ServiceKeys, ca_pem: Option<&[u8]>) -> Result<PlaneClient, reqwest::Error> {
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // The change stream, a module and records have a connection each: none waits for another.
            .http1_only()
            .connect_timeout(CONNECT_MAX)
            .read_timeout(SILENCE_MAX)
            .http2_keep_alive_interval(PING_EVERY)
            .http2_keep_alive_timeout(PONG_MAX);
        #[cfg(target_os = "linux")]
        {
            client = client.tcp_user_timeout(UNACKNOWLEDGED_MAX);
        }
        if let Some(pem) = ca_pem {
            client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
        }
        Ok(PlaneClient { http: client.build()?, keys })
    }

    /// A request to read what is at `path` below `/internal/v1/`, signed now: it has to be sent at once, and
    /// once.
    pub fn get(&self, address: &Address, audience: &str, path: &str) -> RequestBuilder {
        self.request(Method::GET, address, audience, path, &Bytes::new())
    }

    /// A request that takes a JSON text to `path` below `/internal/v1/`, signed now: it has to be sent at once,
    /// and once.
    pub fn post(&self, address: &Address, audience: &str, path: &str, json: Bytes) -> RequestBuilder {
        let request = self.request(Method::POST, address, audience, path, &json);
        request.header(CONTENT_TYPE, "application/json").body(json)
    }

    fn request(
        &self,
        method: Method,
        address: &Address,
        audience: &str,
        path: &str,
        body: &[u8],
    ) -> RequestBuilder {
        let request = self.http.request(method.clone(), address.internal(path));
        match self.keys.sign(audience, &method, &target(path), body) {
            Some(signature) => request.header(AUTHORIZATION, signature),
            // It is refused, and says that it is not signed.
            None => request,
        }
    }
}

/// Why the other plane answered 401, for the log: in its own words, after `wrong_token` where it is the token
/// that is wrong.
pub async fn refusal(response: Response, wrong_token: &str) -> String {
    let body = bounded(response, ERROR_BYTES_MAX).await;
    match body.map(|body| serde_json::from_slice::<ErrorBody>(&body)) {
        Ok(Ok(ErrorBody { error })) if error.code == UNSIGNED => format!("{wrong_token} ({})", error.message),
        Ok(Ok(ErrorBody { error })) => format!("{}; {}", error.message, error.hint),
        Ok(Err(_)) => format!("{wrong_token} (it does not say why)"),
        Err(error) => error,
    }
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

/// Whether a request over plain HTTP was answered with something else, as a server does that speaks TLS only.
pub fn speaks_no_plain_http(error: &reqwest::Error) -> bool {
    // What is taken for the first line of an answer is an alert of TLS (RFC 8446 section 6).
    error.url().is_some_and(|url| url.scheme() == "http")
        && chain(error).ends_with("invalid HTTP version parsed")
}

/// Why a request to this address was not answered, for the log.
pub fn unanswered(address: &Address, error: &reqwest::Error) -> String {
    if speaks_no_plain_http(error) {
        let address = address.to_string().replacen("http://", "https://", 1);
        return format!("it does not speak plain HTTP: write {}", address.trim_end_matches('/'));
    }
    chain(error)
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
            let error = text.parse::<Address>().unwrap_err().to_string();
            // The ports that the planes have if nothing else is said.
            assert!(error.contains(":3000") && error.contains(":3002"), "{error}");
        }
    }

    #[test]
    fn internal_addresses_are_below_one_prefix() {
        let address: Address = "https://10.0.0.2:7443".parse().unwrap();
        assert_eq!(address.internal("changes"), "https://10.0.0.2:7443/internal/v1/changes");
    }
}
