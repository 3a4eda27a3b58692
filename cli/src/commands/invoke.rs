//! `wasmcloud invoke`

use std::io::{IsTerminal, Read};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use wasmcloud_wire::body::InvokeRequest;
use wasmcloud_wire::limits::REQUEST_BODY_BYTES_MAX;
use wasmcloud_wire::{Event, HandlerName, Header, Level, LogLine, Receipt, VersionNumber};

use super::{promote, receipt};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::session::Session;
use crate::text::one_line;
use crate::transport::parse_line;

/// How long standard input may be silent before it is said what is waited for.
const STDIN_PATIENCE: Duration = Duration::from_secs(2);

/// The arguments of `invoke`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exits with 7 if the program failed. Without --data, a body is read from standard input \
                        if that is no terminal; end it with `< /dev/null` for none."
)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// The request's body: text, @FILE, or `-` for standard input
    #[arg(long, short, value_name = "TEXT|@FILE|-")]
    data: Option<String>,
    /// The request's method [default: GET, or POST with a body]
    #[arg(long, short = 'X')]
    method: Option<String>,
    /// The path with its query
    #[arg(long, value_parser = path)]
    path: Option<String>,
    /// A header field, `Name: value`; may be given several times
    #[arg(long = "header", short = 'H', value_name = "FIELD", value_parser = header)]
    headers: Vec<Header>,
    /// The version to run: `3` or `v3` [default: the live one]
    #[arg(long, value_parser = promote::version)]
    version: Option<VersionNumber>,
    /// Show the answer's status and header fields before its body
    #[arg(long, short)]
    include: bool,
}

pub fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with `/`".to_owned()) }
}

pub fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("a header field looks like `Name: value`")?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("`{name}` is no name of a header field"));
    }
    Ok((name.to_lowercase(), value.trim().to_owned()))
}

/// Runs a handler once, and shows what happens as it happens.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let body = body(&session.output, &args).await?;
    let request = InvokeRequest {
        method: args.method,
        path: args.path,
        headers: args.headers,
        body_base64: body.map(|body| BASE64.encode(body)),
        version: args.version,
    };
    let mut lines = client.invoke(&args.name, &request).await?;
    let mut shown = Shown { output: &session.output, include: args.include, mid_line: false };
    while let Some(line) = lines.next().await? {
        if line.is_empty() {
            continue;
        }
        let event: Event = parse_line(client.server(), &line)?;
        if let Some(receipt) = shown.event(event)? {
            return if receipt.outcome.is_ok() { Ok(()) } else { Err(Failure::Shown(Exit::Invocation)) };
        }
    }
    Err(Failure::new(
        Exit::Unreachable,
        "cut_off",
        format!("{} broke off before the invocation was over", client.server()),
        format!("`wasmcloud invocations {}` shows how it ended", args.name),
    ))
}

/// What was shown so far.
struct Shown<'a> {
    output: &'a Output,
    include: bool,
    /// Whether the body stopped within a line.
    mid_line: bool,
}

impl Shown<'_> {
    /// Shows an event; the last one's receipt is given back.
    fn event(&mut self, event: Event) -> Result<Option<Receipt>, Failure> {
        if self.output.json {
            self.output.document(&event)?;
            return Ok(match event {
                Event::End { receipt } => Some(*receipt),
                _ => None,
            });
        }
        match event {
            Event::Head { status, headers } => self.head(status, &headers)?,
            Event::Body { bytes } => self.body(&bytes)?,
            Event::Log { line } => self.output.note(&format_line(self.output, &line)),
            Event::End { receipt } => {
                self.end(&receipt)?;
                return Ok(Some(*receipt));
            }
        }
        Ok(None)
    }

    fn head(&self, status: u16, headers: &[Header]) -> Result<(), Failure> {
        if !self.include {
            return Ok(());
        }
        self.output.line(&format!("HTTP/1.1 {status}"))?;
        for (name, value) in headers {
            self.output.line(&format!("{}: {}", one_line(name), one_line(value)))?;
        }
        self.output.line("")
    }

    fn body(&mut self, bytes: &Bytes) -> Result<(), Failure> {
        if let Some(last) = bytes.last() {
            self.mid_line = *last != b'\n';
        }
        self.output.bytes(bytes)
    }

    fn end(&self, receipt: &Receipt) -> Result<(), Failure> {
        if self.mid_line && std::io::stdout().is_terminal() {
            self.output.line("")?;
        }
        for line in receipt::lines(self.output, receipt) {
            self.output.note(&line);
        }
        Ok(())
    }
}

/// A log line of the one invocation that is being watched.
pub fn format_line(output: &Output, line: &LogLine) -> String {
    let style = match line.level {
        Level::ERROR => Style::Red,
        Level::WARNING => Style::Yellow,
        _ => Style::Dim,
    };
    let label = format!("{} {}:", line.source.as_str(), line.level);
    format!("{} {}", output.styled_note(style, &label), one_line(&line.text))
}

/// The request's body; `None` if there is none, which is not the same as an empty one.
async fn body(output: &Output, args: &Args) -> Result<Option<Vec<u8>>, Failure> {
    let body = match args.data.as_deref() {
        Some("-") => Some(stdin(output).await?),
        Some(data) => match data.strip_prefix('@') {
            Some(file) => Some(read_file(file)?),
            None => Some(data.as_bytes().to_vec()),
        },
        None if takes_stdin(args.method.as_deref()) => {
            Some(stdin(output).await?).filter(|body| !body.is_empty())
        }
        None => None,
    };
    match body {
        Some(body) if body.len() > REQUEST_BODY_BYTES_MAX => Err(Failure::usage(
            format!("the body has more than {REQUEST_BODY_BYTES_MAX} bytes, which is the most that is taken"),
            "send less",
        )),
        body => Ok(body),
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
