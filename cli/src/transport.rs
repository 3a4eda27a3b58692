//! Why no answer came, in words.

use std::error::Error as _;

use serde::de::DeserializeOwned;

use crate::certificate;
use crate::client::CONNECT_TIMEOUT;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::Server;

/// Why no answer came.
pub fn transport_failure(server: &Server, error: reqwest::Error) -> Failure {
    let cause = root_cause(&error);
    let refused = io_cause(&error).is_some_and(|kind| kind == std::io::ErrorKind::ConnectionRefused);
    let (message, hint) = if refused {
        (
            format!("no server at {server}"),
            "start one with `wasmcloud serve`, or name another with --api-server".to_owned(),
        )
    } else if error.is_timeout() && error.is_connect() {
        (
            format!("{server} cannot be reached: no connection within {} s", CONNECT_TIMEOUT.as_secs()),
            "check the address and the network".to_owned(),
        )
    } else if error.is_timeout() {
        (format!("{server} did not answer in time"), "try again".to_owned())
    } else if let Some((why, hint)) = certificate::distrust(&error) {
        (format!("{server} cannot be trusted: {why}"), hint)
    } else if !server.is_encrypted() && wasmcloud_plane::speaks_no_plain_http(&error) {
        (
            format!("{server} does not speak plain HTTP"),
            format!("write {}", server.to_string().replacen("http://", "https://", 1)),
        )
    } else if error.is_connect() {
        (format!("{server} cannot be reached: {cause}"), "check the address and the network".to_owned())
    } else {
        (format!("the connection to {server} failed: {cause}"), "try again".to_owned())
    };
    Failure::new(Exit::Unreachable, "unreachable", message, hint)
}

/// The innermost reason: the outer ones only say that there is an inner one.
pub fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

fn io_cause(error: &reqwest::Error) -> Option<std::io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
        {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// One JSON text of a stream.
pub fn parse_line<T: DeserializeOwned>(server: &Server, line: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(line).map_err(|error| {
        Failure::new(
            Exit::Failure,
            "bad_answer",
            format!("{server} sent something that this version does not understand: {error}"),
            "compare versions: `wasmcloud version` and the server's",
        )
    })
}
