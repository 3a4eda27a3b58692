//! An invocation's log: lines from the guest and from the platform, bounded.

use std::time::{Duration, Instant};

use wasmcloud_cgi::escape;
use wasmcloud_wire::limits::LOG_LINES_MAX;
use wasmcloud_wire::{InvocationId, Level, LogLine, Source, Timestamp};

/// How long a line of a running guest may wait before it is reported.
pub(crate) const REPORT_EVERY: Duration = Duration::from_millis(200);
/// Longest unfinished line on standard error, in bytes; a longer one is broken.
const PARTIAL_LINE_BYTES_MAX: usize = 40_000;

/// Takes lines that were written before the invocation ended.
pub(crate) type Report = Box<dyn Fn(Vec<LogLine>) + Send>;

/// Takes every line at the moment when it is written.
pub(crate) type Live = Box<dyn Fn(&LogLine) + Send>;

/// Collects an invocation's log lines.
pub(crate) struct Logs {
    invocation: InvocationId,
    bytes_left: u64,
    bytes_max: u64,
    seq: u32,
    dropped: u32,
    lines: Vec<LogLine>,
    stderr_partial: Vec<u8>,
    live: Option<Live>,
    report: Option<Report>,
    reported_at: Instant,
}

impl Logs {
    /// A log of at most `bytes_max` bytes of text.
    pub(crate) fn new(invocation: InvocationId, bytes_max: u64) -> Logs {
        Logs {
            invocation,
            bytes_left: bytes_max,
            bytes_max,
            seq: 0,
            dropped: 0,
            lines: Vec::new(),
            stderr_partial: Vec::new(),
            live: None,
            report: None,
            reported_at: Instant::now(),
        }
    }

    /// Shows every line at once to the one who asked for the invocation.
    pub(crate) fn live(mut self, live: Live) -> Logs {
        self.live = Some(live);
        self
    }

    /// Reports lines of a long run while it goes on.
    pub(crate) fn reporting(mut self, report: Report) -> Logs {
        self.report = Some(report);
        self
    }

    /// A text of one or more lines from the guest.
    pub(crate) fn write(&mut self, level: Level, source: Source, text: &[u8]) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            self.line(level, source, line.strip_suffix(b"\r").unwrap_or(line));
        }
        self.report_if_due();
    }

    /// Bytes that the guest wrote to its standard error.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.stderr_partial.extend_from_slice(line);
            self.end_stderr_line();
        }
        self.stderr_partial.extend_from_slice(rest);
        if self.stderr_partial.len() > PARTIAL_LINE_BYTES_MAX {
            self.end_stderr_line();
        }
        self.report_if_due();
    }

    fn end_stderr_line(&mut self) {
        let line = std::mem::take(&mut self.stderr_partial);
        self.line(Level::INFO, Source::Stderr, line.strip_suffix(b"\r").unwrap_or(&line));
    }

    /// A warning from the platform that a guest can cause as often as it likes: it is under the limits.
    pub(crate) fn warn(&mut self, text: &str) {
        self.line(Level::WARNING, Source::Platform, text.as_bytes());
        self.report_if_due();
    }

    /// A line from the platform. It is kept even when the guest's own lines have used up the limit.
    pub(crate) fn platform(&mut self, level: Level, text: &str) {
        if !self.stderr_partial.is_empty() {
            self.end_stderr_line();
        }
        self.push(level, Source::Platform, escape(text.as_bytes()).into_owned());
    }

    fn line(&mut self, level: Level, source: Source, line: &[u8]) {
        // Nothing is escaped that cannot be kept: a flood of lines costs little.
        if self.dropped > 0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        let text = escape(line).into_owned();
        // An empty line takes room as well.
        let bytes = (text.len() as u64).max(1);
        let left = self.bytes_left.checked_sub(bytes);
        match left {
            Some(left) if self.seq < LOG_LINES_MAX => {
                self.bytes_left = left;
                self.push(level, source, text);
            }
            _ => {
                self.dropped = 1;
                let limit = match left {
                    Some(_) => format!("{LOG_LINES_MAX} lines"),
                    None => format!("{} bytes", self.bytes_max),
                };
                let text = format!("log cut: the limit of {limit} is reached, further lines are dropped");
                self.push(Level::WARNING, Source::Platform, text);
            }
        }
    }

    fn push(&mut self, level: Level, source: Source, text: String) {
        let line =
            LogLine { invocation: self.invocation, seq: self.seq, at: Timestamp::now(), level, source, text };
        self.seq += 1;
        if let Some(live) = &self.live {
            live(&line);
        }
        self.lines.push(line);
    }

    /// Reports what was not reported for a while.
    pub(crate) fn report_if_due(&mut self) {
        if self.reported_at.elapsed() >= REPORT_EVERY {
            self.report();
        }
    }

    /// Reports what was not reported yet: before a guest sleeps, for instance.
    pub(crate) fn report(&mut self) {
        self.reported_at = Instant::now();
        if let Some(report) = &self.report
            && !self.lines.is_empty()
        {
            report(std::mem::take(&mut self.lines));
        }
    }

    /// Ends the log: the lines that were not reported, how many were kept in all, how many dropped.
    pub(crate) fn finish(&mut self) -> (Vec<LogLine>, u32, u32) {
        if !self.stderr_partial.is_empty() {
            self.end_stderr_line();
        }
        (std::mem::take(&mut self.lines), self.seq, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(logs: &mut Logs) -> Vec<String> {
        logs.finish().0.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn standard_error_is_cut_into_lines_wherever_it_was_written_in_pieces() {
        let mut logs = Logs::new(InvocationId::new(), 1000);
        for piece in [&b"on"[..], b"e\r\ntwo\n", b"\nfour"] {
            logs.stderr(piece);
        }
        assert_eq!(texts(&mut logs), ["one", "two", "", "four"]);
    }

    #[test]
    fn what_is_unprintable_is_made_printable() {
        let mut logs = Logs::new(InvocationId::new(), 1000);
        logs.write(Level::INFO, Source::Log, b"a\x1b[2Jb\xff");
        let line = texts(&mut logs).remove(0);
        assert!(!line.contains('\x1b') && line.starts_with('a'), "{line:?}");
    }

    #[test]
    fn the_limit_drops_further_lines_and_says_so_once() {
        let mut logs = Logs::new(InvocationId::new(), 10);
        for _ in 0..5 {
            logs.write(Level::INFO, Source::Log, b"12345");
        }
        logs.platform(Level::ERROR, "trap");
        let (lines, kept, dropped) = logs.finish();
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((kept, dropped), (4, 3));
        assert_eq!(&texts[..2], ["12345", "12345"]);
        assert!(texts[2].contains("limit of 10 bytes"), "{}", texts[2]);
        assert_eq!(texts[3], "trap");
        assert!(lines.iter().enumerate().all(|(i, line)| line.seq == i as u32));
    }

    #[test]
    fn endless_empty_lines_reach_a_limit_too() {
        let mut logs = Logs::new(InvocationId::new(), 100);
        logs.write(Level::INFO, Source::Log, &[b'\n'; 10_000]);
        assert!(logs.finish().1 <= 101);
        let mut logs = Logs::new(InvocationId::new(), 1 << 30);
        logs.write(Level::INFO, Source::Log, &[b'\n'; 10_000]);
        let (lines, kept, dropped) = logs.finish();
        assert_eq!((kept, dropped), (LOG_LINES_MAX + 1, 10_000 - LOG_LINES_MAX));
        assert!(lines[lines.len() - 1].text.contains("limit of 2000 lines"));
    }

    #[test]
    fn warnings_that_a_guest_causes_are_under_the_limits() {
        let mut logs = Logs::new(InvocationId::new(), 1 << 30);
        for _ in 0..10_000 {
            logs.warn("a range outside of memory");
        }
        assert_eq!(logs.finish().1, LOG_LINES_MAX + 1);
    }
}
