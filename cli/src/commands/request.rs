//! A request as flags: what `invoke` and `run` have in common.

use std::io::{IsTerminal, Read};
use std::time::Duration;

use wasmcloud_wire::Header;
use wasmcloud_wire::limits::REQUEST_BODY_BYTES_MAX;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Output;

/// How long standard input may be silent before it is said what is waited for.
const STDIN_PATIENCE: Duration = Duration::from_secs(2);

/// The flags that make a request.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    /// The request's body: text, @FILE, or `-` for standard input
    #[arg(long, short, value_name = "TEXT|@FILE|-")]
    pub data: Option<String>,
    /// The request's method [default: GET, or POST with a body]
    #[arg(long, short = 'X')]
    pub method: Option<String>,
    /// The path with its query
    #[arg(long, value_parser = path)]
    pub path: Option<String>,
    /// A header field, `Name: value`; may be given several times
    #[arg(long = "header", short = 'H', value_name = "FIELD", value_parser = header)]
    pub headers: Vec<Header>,
}

/// Whether standard input can be the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdinIs {
    /// Nobody has read it.
    Free,
    /// The program or its policy came from there.
    Taken,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with `/`".to_owned()) }
}

fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("a header field looks like `Name: value`")?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is no name of a header field"));
    }
    Ok((name.to_lowercase(), value.trim().to_owned()))
}

impl RequestArgs {
    /// The request's body: what `--data` says, or standard input if it is there to be read. `None` if
    /// there is none, which is not the same as an empty one.
    pub async fn body(&self, output: &Output, stdin_is: StdinIs) -> Result<Option<Vec<u8>>, Failure> {
        let body = match self.data.as_deref() {
            Some("-") if stdin_is == StdinIs::Taken => {
                return Err(Failure::usage(
                    "standard input can be read once: as the program, as the policy or as the body",
                    "name a file for the others; the body's is --data @FILE",
                ));
            }
            Some("-") => Some(stdin(output).await?),
            Some(data) => match data.strip_prefix('@') {
                Some(file) => Some(read_file(file)?),
                None => Some(data.as_bytes().to_vec()),
            },
            None if stdin_is == StdinIs::Free && takes_stdin(self.method.as_deref()) => {
                Some(stdin(output).await?).filter(|body| !body.is_empty())
            }
            None => None,
        };
        match body {
            Some(body) if body.len() > REQUEST_BODY_BYTES_MAX => Err(Failure::usage(
                format!(
                    "the body has more than {REQUEST_BODY_BYTES_MAX} bytes, which is the most that is taken"
                ),
                "send less",
            )),
            body => Ok(body),
        }
    }
}

/// Whether a body is read where `--data` does not say so: not for a method that has none.
fn takes_stdin(method: Option<&str>) -> bool {
    !matches!(method, Some("GET" | "HEAD" | "DELETE" | "OPTIONS")) && !std::io::stdin().is_terminal()
}

fn read_file(file: &str) -> Result<Vec<u8>, Failure> {
    std::fs::File::open(file).and_then(read_bounded).map_err(|error| {
        Failure::new(
            Exit::Failure,
            "file",
            format!("cannot read {file}: {error}"),
            "check the path after `@`; a body that begins with `@` can be piped in with --data -",
        )
    })
}

async fn stdin(output: &Output) -> Result<Vec<u8>, Failure> {
    let mut reading = tokio::task::spawn_blocking(|| read_bounded(std::io::stdin().lock()));
    let read = match tokio::time::timeout(STDIN_PATIENCE, &mut reading).await {
        Ok(read) => read,
        Err(_) => {
            output
                .tell("waiting for the body on standard input; for none, end the command with `< /dev/null`");
            reading.await
        }
    };
    read.map_err(std::io::Error::other).and_then(|read| read).map_err(|error| {
        Failure::new(Exit::Failure, "input", format!("cannot read standard input: {error}"), "")
    })
}

/// Reads one byte more than a body may have, so that the excess shows.
fn read_bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(REQUEST_BODY_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_field_has_a_name_and_a_value() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(header("Accept: text/html"), pair("accept", "text/html"));
        assert_eq!(header("x-empty:"), pair("x-empty", ""));
        assert_eq!(header("x-url:http://h:1"), pair("x-url", "http://h:1"));
        for text in ["Accept", ": x", "a b: c", "käse: c"] {
            assert!(header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_begins_with_a_slash() {
        assert!(path("/a?b").is_ok());
        assert!(path("a").is_err());
        assert!(path("").is_err());
    }
}
