//! One guest's surroundings for one invocation.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use wasmcloud_cgi::Variables;

use super::{Answered, Logs, Outbound, Stop, Watch};
use crate::recording::Tape;

/// Most URLs that a receipt lists.
const URLS_MAX: usize = 100;
/// Longest URL in a receipt, in bytes.
const URL_BYTES_MAX: usize = 1_024;

/// Where a guest's standard output goes.
pub(crate) trait Output: Send {
    /// Takes all the bytes; waits if whoever reads is slower.
    fn write(&mut self, bytes: &[u8], logs: &mut Logs) -> Result<(), Stop>;
    /// Hands on what was kept back to be sent in larger pieces.
    fn flush(&mut self) -> Result<(), Stop>;
    /// Ends the output after the guest has ended; `ended_well` says whether with status 0.
    fn finish(&mut self, ended_well: bool, logs: &mut Logs) -> Result<Answered, Stop>;
    /// Ends the output without handing on what was kept back.
    fn abandon(&mut self) -> Answered;
}

/// Everything that host calls work on, whatever the ABI.
pub(crate) struct Session {
    /// The environment.
    pub(crate) variables: Variables,
    /// The arguments; the first is the program's name.
    pub(crate) args: Vec<Vec<u8>>,
    /// What is left of the standard input.
    pub(crate) stdin: Bytes,
    /// The standard output.
    pub(crate) stdout: Box<dyn Output>,
    /// The log, and the standard error.
    pub(crate) logs: Logs,
    /// The deadline.
    pub(crate) watch: Arc<Watch>,
    /// The runtime in which a host call can wait.
    pub(crate) runtime: tokio::runtime::Handle,
    /// The way to the network.
    pub(crate) outbound: Outbound,
    /// What was used so far.
    pub(crate) used: Used,
    /// Clocks and randomness, where the invocation is recorded or replayed.
    pub(crate) tape: Option<Arc<Tape>>,
}

/// What a guest has used, as far as host calls know.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) host_calls: BTreeMap<&'static str, u64>,
    pub(crate) urls: Vec<String>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

impl Used {
    /// Notes that a URL was opened.
    pub(crate) fn url(&mut self, url: &str) {
        listed(&mut self.urls, url);
    }
}

/// Puts a URL into a list of a receipt, once; says whether it was put there.
pub(crate) fn listed(urls: &mut Vec<String>, url: &str) -> bool {
    let mut end = url.len().min(URL_BYTES_MAX);
    while !url.is_char_boundary(end) {
        end -= 1;
    }
    let url = url.get(..end).unwrap_or_default();
    let is_new = urls.len() < URLS_MAX && !urls.iter().any(|known| known == url);
    if is_new {
        urls.push(url.to_owned());
    }
    is_new
}

impl Session {
    /// Reads standard input; 0 at its end.
    pub(crate) fn read_stdin(&mut self, buffer: &mut [u8]) -> usize {
        let bytes = buffer.len().min(self.stdin.len());
        if let Some(target) = buffer.get_mut(..bytes) {
            self.stdin.copy_to_slice(target);
        }
        self.used.bytes_in += bytes as u64;
        bytes
    }

    /// Writes standard output.
    pub(crate) fn write_stdout(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.used.bytes_out += bytes.len() as u64;
        self.stdout.write(bytes, &mut self.logs)
    }

    /// Sleeps for as long as asked, but never past the deadline.
    pub(crate) fn sleep(&mut self, duration: std::time::Duration) -> Result<(), Stop> {
        self.logs.report();
        self.stdout.flush()?;
        let until = (std::time::Instant::now() + duration).min(self.watch.deadline());
        let watch = self.watch.clone();
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = watch.killed() => {}
            }
        });
        if self.watch.is_over() { Err(Stop::Killed) } else { Ok(()) }
    }
}

/// Standard output that is no CGI answer: `wasmcloud run` prints it as it comes.
pub(crate) struct RawOutput<W> {
    writer: W,
    bytes_left: u64,
    bytes_max: u64,
}

impl<W: std::io::Write + Send> RawOutput<W> {
    /// Passes at most `bytes_max` bytes on.
    pub(crate) fn new(writer: W, bytes_max: u64) -> RawOutput<W> {
        RawOutput { writer, bytes_left: bytes_max, bytes_max }
    }
}

impl<W: std::io::Write + Send> Output for RawOutput<W> {
    fn write(&mut self, bytes: &[u8], _logs: &mut Logs) -> Result<(), Stop> {
        self.bytes_left =
            self.bytes_left.checked_sub(bytes.len() as u64).ok_or(Stop::OutputLimit(self.bytes_max))?;
        self.writer.write_all(bytes).map_err(|_| Stop::OutputClosed)
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.writer.flush().map_err(|_| Stop::OutputClosed)
    }

    fn finish(&mut self, _ended_well: bool, _logs: &mut Logs) -> Result<Answered, Stop> {
        self.flush()?;
        Ok(Answered::Nothing)
    }

    fn abandon(&mut self) -> Answered {
        // Printed output is not taken back, so all of it may as well be seen.
        let _ = self.flush();
        Answered::Nothing
    }
}

/// The standard output of a program that answers in another way.
pub(crate) struct Nowhere;

impl Output for Nowhere {
    fn write(&mut self, _bytes: &[u8], _logs: &mut Logs) -> Result<(), Stop> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        Ok(())
    }

    fn finish(&mut self, _ended_well: bool, _logs: &mut Logs) -> Result<Answered, Stop> {
        Ok(Answered::Nothing)
    }

    fn abandon(&mut self) -> Answered {
        Answered::Nothing
    }
}
