//! `wasmcloud logs`

use std::time::{Duration, Instant};

use wasmcloud_wire::{Event, HandlerName, InvocationId, Level, LogLine, Receipt, Timestamp};

use super::receipt;
use crate::client::{Client, LogQuery};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::session::Session;
use crate::since::Since;
use crate::sse::{SseEvent, SseParser};
use crate::text::one_line;
use crate::transport::parse_line;

/// Lines that are asked for unless another number is given.
const LINES: u32 = 100;
/// Most lines that a server gives at once; asked for where one invocation is to be seen whole.
const LINES_MAX: u32 = 1_000;
/// Times that a lost connection is made anew before giving up.
const RECONNECTS_MAX: u32 = 10;
/// The first pause before that; each further one is twice as long.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
/// The longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Most characters of a text that a server looks for.
const TEXT_CHARS_MAX: usize = 200;

/// The arguments of `logs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// Go on with the lines to come, until Ctrl-C, or until the end of the invocation that
    /// --invocation names
    #[arg(short, long)]
    follow: bool,
    /// Only this invocation: the id in the answer's header field `Wasmcloud-Invocation`
    #[arg(long, value_name = "ID")]
    invocation: Option<InvocationId>,
    /// Only from this time on: 30s, 10m, 2h or 7d ago, or 2026-11-21T08:09:10Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only lines of this level, and graver ones
    #[arg(long, value_name = "LEVEL")]
    level: Option<Least>,
    /// Only lines that contain this text; ASCII letters match in either case
    #[arg(long, value_name = "TEXT", value_parser = searched)]
    grep: Option<String>,
    /// The newest so many lines, at most 1000 [default: 100; with --invocation, 1000]
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=i64::from(LINES_MAX)))]
    lines: Option<u32>,
}

/// As much as a server looks for.
fn searched(text: &str) -> Result<String, String> {
    match (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
        true => Ok(text.to_owned()),
        false => Err(format!("a text to look for has 1 to {TEXT_CHARS_MAX} characters")),
    }
}

/// The least grave lines that are shown.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Least {
    /// Something failed
    Error,
    /// Something may fail
    Warning,
    /// Something happened
    #[value(alias = "info")]
    Information,
}

impl Least {
    fn as_str(self) -> &'static str {
        match self {
            Least::Error => "error",
            Least::Warning => "warning",
            Least::Information => "information",
        }
    }
}

/// Shows a handler's log, oldest line first.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let usual = if args.invocation.is_some() { LINES_MAX } else { LINES };
    let limit = args.lines.unwrap_or(usual);
    let level = args.level.map(Least::as_str);
    let query =
        LogQuery { invocation: args.invocation, since: args.since, level, text: args.grep.clone(), limit };
    if args.follow {
        return follow(&session.output, &client, &args.name, query).await;
    }
    let logs = client.logs(&args.name, &query).await?;
    if session.output.json {
        return session.output.document(&logs);
    }
    if logs.lines.is_empty() {
        session.output.note("no lines (a line takes up to a second to arrive)");
    }
    if let Some(before) = logs.more_before {
        let before = before.rfc3339();
        session.output.note(&format!("there are so many lines that those before {before} were not searched"));
    }
    for line in &logs.lines {
        session.output.line(&format_line(&session.output, line))?;
    }
    Ok(())
}

/// A line of a log: time, invocation, level, source, text.
pub fn format_line(output: &Output, line: &LogLine) -> String {
    let level = format!("{:<7}", line.level);
    let level = match line.level {
        Level::ERROR => output.styled(Style::Red, &level),
        Level::WARNING => output.styled(Style::Yellow, &level),
        _ => level,
    };
    format!(
        "{} {} {level} {:<8} {}",
        line.at.rfc3339(),
        output.styled(Style::Dim, &line.invocation.to_string()),
        line.source.as_str(),
        one_line(&line.text)
    )
}

/// How a stream of events ended.
enum Ended {
    /// There is no more to come.
    Done,
    /// The connection was lost, perhaps after it had been of use.
    Lost { progress: bool },
}

async fn follow(
    output: &Output,
    client: &Client,
    name: &HandlerName,
    query: LogQuery,
) -> Result<(), Failure> {
    let mut parser = SseParser::default();
    let mut reconnects = 0;
    loop {
        match connected(output, client, name, &query, &mut parser).await {
            Ok(Ended::Done) => return Ok(()),
            Ok(Ended::Lost { progress }) => {
                if progress {
                    reconnects = 0;
                }
            }
            Err(failure) if failure.exit() == Exit::Unreachable && reconnects < RECONNECTS_MAX => {
                // A server that was never there is no lost connection.
                if reconnects == 0 && parser.last_id().is_none() {
                    return Err(failure);
                }
            }
            Err(failure) => return Err(failure),
        }
        if reconnects >= RECONNECTS_MAX {
            return Err(Failure::new(
                Exit::Unreachable,
                "unreachable",
                format!("the log of {name} was lost {RECONNECTS_MAX} times in a row"),
                "look at the server; then follow again",
            ));
        }
        let pause = backoff(reconnects);
        reconnects += 1;
        output.tell(&format!("connection lost; trying again in {} ms", pause.as_millis()));
        tokio::time::sleep(pause).await;
        parser.reconnect();
    }
}

/// The pause before a connection is made anew for the `tries`-th time, counted from 0.
fn backoff(tries: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(2u32.saturating_pow(tries)).min(BACKOFF_MAX)
}

async fn connected(
    output: &Output,
    client: &Client,
    name: &HandlerName,
    query: &LogQuery,
    parser: &mut SseParser,
) -> Result<Ended, Failure> {
    let mut lines = client.follow(name, query, parser.last_id()).await?;
    let began = Instant::now();
    let mut shown = false;
    loop {
        // A quiet log is no sign of a broken server: to have been connected for a while counts too.
        let lost = |shown: bool| Ended::Lost { progress: shown || began.elapsed() > BACKOFF_MAX };
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(lost(shown)),
            Err(failure) if failure.exit() == Exit::Unreachable => return Ok(lost(shown)),
            Err(failure) => return Err(failure),
        };
        let Some(event) = parser.line(&String::from_utf8_lossy(&line)) else { continue };
        shown = true;
        if show(output, client, query, event)? {
            return Ok(Ended::Done);
        }
    }
}

/// Shows an event; true if nothing can come after it.
fn show(output: &Output, client: &Client, query: &LogQuery, event: SseEvent) -> Result<bool, Failure> {
    match event.name.as_str() {
        "line" => {
            let line: LogLine = parse_line(client.server(), event.data.as_bytes())?;
            if output.json {
                output.document(&Event::Log { line })?;
            } else {
                output.line(&format_line(output, &line))?;
            }
            Ok(false)
        }
        "receipt" => {
            let receipt: Receipt = parse_line(client.server(), event.data.as_bytes())?;
            let last = query.invocation == Some(receipt.invocation);
            if output.json {
                output.document(&Event::End { receipt: Box::new(receipt) })?;
            } else {
                output.line(&format_receipt(output, &receipt))?;
            }
            Ok(last)
        }
        // A later server may tell of more than this version knows.
        _ => Ok(false),
    }
}

/// The end of an invocation, as a line among lines.
fn format_receipt(output: &Output, receipt: &Receipt) -> String {
    let style = if receipt.outcome.is_ok() { Style::Green } else { Style::Red };
    format!(
        "{} {} {} {} {} {}",
        ended_at(receipt).rfc3339(),
        output.styled(Style::Dim, &receipt.invocation.to_string()),
        output.styled(style, "receipt"),
        receipt.method,
        one_line(&receipt.path),
        receipt::summary(receipt)
    )
}

/// When an invocation was over.
fn ended_at(receipt: &Receipt) -> Timestamp {
    let wall_ms = i64::try_from(receipt.wall_us / 1_000).unwrap_or(i64::MAX);
    Timestamp(receipt.started_at.0.saturating_add(wall_ms))
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::Source;

    use super::*;

    #[test]
    fn a_line_has_its_time_invocation_level_and_source() {
        let line = LogLine {
            invocation: "01936a3e-0000-7000-8000-000000000000".parse().unwrap(),
            seq: 0,
            at: Timestamp(951_782_400_000),
            level: Level::WARNING,
            source: Source::Stderr,
            text: "tea\u{1b}[2J".to_owned(),
        };
        assert_eq!(
            format_line(&Output::new(true), &line),
            "2000-02-29T00:00:00.000Z 01936a3e-0000-7000-8000-000000000000 warning stderr   tea\\u{1b}[2J"
        );
    }

    #[test]
    fn pauses_grow_and_are_bounded() {
        let pauses: Vec<u128> = (0..RECONNECTS_MAX).map(|tries| backoff(tries).as_millis()).collect();
        assert_eq!(pauses.get(..6), Some(&[500, 1_000, 2_000, 4_000, 8_000, 10_000][..]));
        assert_eq!(backoff(u32::MAX), BACKOFF_MAX);
    }
}
