//! `wasmcloud invoke`

use std::io::IsTerminal;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use wasmcloud_wire::body::InvokeRequest;
use wasmcloud_wire::{Event, HandlerName, Header, Level, LogLine, Receipt, VersionNumber};

use super::request::{RequestArgs, StdinIs};
use super::{promote, receipt};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::session::Session;
use crate::text::one_line;
use crate::transport::parse_line;

/// The arguments of `invoke`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exits with 7 if the program failed. Without --data, a body is read from standard input \
                        if that is no terminal; end it with `< /dev/null` for none."
)]
pub struct Args {
    /// The handler
    name: HandlerName,
    #[command(flatten)]
    request: RequestArgs,
    /// The version to run: `3` or `v3` [default: the live one]
    #[arg(long, value_parser = promote::version)]
    version: Option<VersionNumber>,
    /// Show the answer's status and header fields before its body
    #[arg(long, short)]
    include: bool,
    /// Count the instructions of a program of the WASI family, which are not counted otherwise: another
    /// compilation of it, which runs slower
    #[arg(long)]
    gas: bool,
}

/// Runs a handler once, and shows what happens as it happens.
pub async fn run(session: &Session, args: Args) -> Result<(), Failure> {
    let client = session.client()?;
    let body = args.request.body(&session.output, StdinIs::Free).await?;
    let request = InvokeRequest {
        method: args.request.method,
        path: args.request.path,
        headers: args.request.headers,
        body_base64: body.map(|body| BASE64.encode(body)),
        version: args.version,
        count_gas: args.gas,
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
            Event::Trailers { fields } => self.trailers(&fields)?,
            Event::Log { line } => self.output.note(&format_line(self.output, &line)),
            Event::End { receipt } => {
                self.end(&receipt)?;
                return Ok(Some(*receipt));
            }
        }
        Ok(None)
    }

    fn trailers(&self, fields: &[Header]) -> Result<(), Failure> {
        if !self.include {
            return Ok(());
        }
        self.output.line("")?;
        fields.iter().try_for_each(|(name, value)| {
            self.output.line(&format!("{}: {}", one_line(name), one_line(value)))
        })
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
