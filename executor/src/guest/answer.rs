//! A guest's standard output on its way to become an HTTP answer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use wasmcloud_cgi::{Answer, Ending, Framing};
use wasmcloud_wire::{Header, Level, LogLine, Receipt};

use super::{Logs, Output, Stop, Watch};
use crate::recording::Tap;

/// Output is handed on in pieces of about this size.
const PIECE_BYTES: usize = 64 << 10;

/// What happens during an invocation, within an executor.
#[derive(Debug)]
pub(crate) enum Part {
    /// The whole answer at once: the guest ended before a piece was full.
    Whole { status: u16, headers: Vec<Header>, content_length: Option<u64>, body: Bytes },
    /// The answer begins; its body follows in pieces.
    Head { status: u16, headers: Vec<Header>, content_length: Option<u64> },
    /// A piece of the body.
    Body(Bytes),
    /// The fields that follow the body.
    Trailers(Vec<Header>),
    /// A line was logged.
    Log(LogLine),
    /// It is over. A body that had begun is complete only if `complete` says so.
    End { receipt: Box<Receipt>, complete: bool },
}

/// What became of a guest's output once the guest has ended.
#[derive(Debug)]
pub(crate) enum Answered {
    /// An answer with this status was handed on whole.
    Complete(u16),
    /// An answer with this status was begun and cannot be completed.
    CutOff(u16),
    /// The handler itself has to serve this path now.
    LocalRedirect(String),
    /// No answer was begun.
    Nothing,
}

enum State {
    Header(wasmcloud_cgi::Output),
    Body {
        head: Option<Head>,
        framing: Framing,
        status: u16,
    },
    LocalRedirect(String),
    /// The header was malformed, or the reader went away.
    Failed,
}

struct Head {
    status: u16,
    headers: Vec<Header>,
}

/// Parses CGI output and hands the answer on, piece by piece.
pub(crate) struct CgiAnswer {
    state: State,
    method: String,
    kept: BytesMut,
    bytes_left: u64,
    bytes_max: u64,
    reader: Reader,
}

/// Whoever takes the parts of an invocation.
#[derive(Clone)]
pub(crate) struct Reader {
    pub(crate) parts: mpsc::Sender<Part>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) runtime: tokio::runtime::Handle,
    /// Where parts wait that a guest whose thread must not block has given and the reader not taken yet.
    pub(crate) backlog: Option<Arc<Backlog>>,
    /// What watches the parts pass, where the invocation is recorded.
    pub(crate) tap: Option<Arc<Tap>>,
}

/// Parts that wait for a slow reader. Whoever fills it asks [`Reader::is_behind`] before.
pub(crate) type Backlog = Mutex<VecDeque<Part>>;

impl Reader {
    /// Whether the reader has yet to take what was given before.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog().is_some_and(|backlog| !backlog.is_empty())
    }

    /// Waits until the reader has taken all that was given.
    ///
    /// # Errors
    ///
    /// The reader went away.
    pub(crate) async fn caught_up(&self) -> Result<(), Stop> {
        while self.is_behind() {
            let place = self.parts.reserve().await.map_err(|_| Stop::OutputClosed)?;
            if let Some(part) = self.backlog().and_then(|mut backlog| backlog.pop_front()) {
                place.send(part);
            }
        }
        Ok(())
    }

    /// Shows a part to whatever records the invocation.
    pub(crate) fn note(&self, part: &Part) {
        if let Some(tap) = &self.tap {
            tap.answer(part);
        }
    }

    fn backlog(&self) -> Option<MutexGuard<'_, VecDeque<Part>>> {
        self.backlog.as_ref().map(|backlog| backlog.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands a part on. Waits for the reader, but not past the deadline; or keeps the part in the backlog.
    pub(crate) fn send(&self, part: Part) -> Result<(), Stop> {
        self.note(&part);
        if let Some(mut backlog) = self.backlog() {
            let part = match backlog.is_empty() {
                true => match self.parts.try_send(part) {
                    Ok(()) => return Ok(()),
                    Err(mpsc::error::TrySendError::Full(part)) => part,
                    Err(mpsc::error::TrySendError::Closed(_)) => return Err(Stop::OutputClosed),
                },
                false => part,
            };
            backlog.push_back(part);
            return Ok(());
        }
        let part = match self.parts.try_send(part) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(part)) => part,
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(Stop::OutputClosed),
        };
        self.runtime.block_on(async {
            tokio::select! {
                sent = self.parts.send(part) => sent.map_err(|_| Stop::OutputClosed),
                () = self.watch.killed() => Err(Stop::Killed),
            }
        })
    }
}

impl CgiAnswer {
    /// An answer to a request with `method` to `host`, of at most `bytes_max` bytes.
    pub(crate) fn new(method: &str, host: &str, bytes_max: u64, reader: Reader) -> CgiAnswer {
        CgiAnswer {
            state: State::Header(wasmcloud_cgi::Output::new(host)),
            method: method.to_owned(),
            kept: BytesMut::new(),
            bytes_left: bytes_max,
            bytes_max,
            reader,
        }
    }

    fn body(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let State::Body { framing, .. } = &mut self.state else { return Ok(()) };
        let passing = framing.pass(bytes.len());
        let bytes = bytes.get(..passing).unwrap_or_default();
        self.bytes_left =
            self.bytes_left.checked_sub(bytes.len() as u64).ok_or(Stop::OutputLimit(self.bytes_max))?;
        self.kept.extend_from_slice(bytes);
        if self.kept.len() >= PIECE_BYTES { self.hand_on() } else { Ok(()) }
    }

    /// Sends what was kept back, unless the client would have the whole answer then: how the program
    /// ends decides whether it gets that.
    fn hand_on(&mut self) -> Result<(), Stop> {
        match &self.state {
            State::Body { framing, .. } if completes_answer(framing) => Ok(()),
            _ => self.hand_on_all(),
        }
    }

    /// Sends the head if it was not sent, then what was kept back.
    fn hand_on_all(&mut self) -> Result<(), Stop> {
        let State::Body { head, framing, .. } = &mut self.state else { return Ok(()) };
        if let Some(Head { status, headers }) = head.take() {
            let content_length = framing.content_length();
            self.send(Part::Head { status, headers, content_length })?;
        }
        while !self.kept.is_empty() {
            let piece = self.kept.split_to(self.kept.len().min(PIECE_BYTES)).freeze();
            self.send(Part::Body(piece))?;
        }
        Ok(())
    }

    fn send(&mut self, part: Part) -> Result<(), Stop> {
        self.reader.send(part).inspect_err(|_| self.kept.clear())
    }

    fn begin(&mut self, answer: Answer, logs: &mut Logs) -> Result<(), Stop> {
        let framing = Framing::new(&answer, &self.method);
        let head = match answer {
            Answer::Document(head) | Answer::Redirect(head) => head,
            Answer::LocalRedirect { target } => {
                self.state = State::LocalRedirect(target);
                return Err(Stop::Redirected);
            }
        };
        if framing.has_body() && head.declared_length.is_some_and(|declared| declared > self.bytes_left) {
            logs.platform(Level::ERROR, "the program's Content-Length is above the response limit");
            return Err(Stop::OutputLimit(self.bytes_max));
        }
        let status = head.status;
        let head = Some(Head { status, headers: head.headers });
        self.state = State::Body { head, framing, status };
        Ok(())
    }

    /// Nothing was sent yet. A wrong Content-Length is put right, since the right one is known.
    fn finish_whole(
        &mut self,
        head: Head,
        framing: &Framing,
        ended_well: bool,
        logs: &mut Logs,
    ) -> Result<Answered, Stop> {
        let Head { status, headers } = head;
        warn_of_length(framing, "it is put right", logs);
        let body = self.kept.split().freeze();
        let content_length =
            if framing.has_body() { Some(body.len() as u64) } else { framing.content_length() };
        if ended_well {
            self.send(Part::Whole { status, headers, content_length, body })?;
            return Ok(Answered::Complete(status));
        }
        if !framing.has_body() {
            // Nothing could be missing from such an answer, so it would pass for a success.
            return Ok(Answered::Nothing);
        }
        // The guest failed after its header: the client must see that something is missing, so
        // the length that would make the answer complete is not sent.
        self.send(Part::Head { status, headers, content_length: None })?;
        if !body.is_empty() {
            self.send(Part::Body(body))?;
        }
        Ok(Answered::CutOff(status))
    }

    fn finish_begun(
        &mut self,
        framing: &Framing,
        status: u16,
        ended_well: bool,
        logs: &mut Logs,
    ) -> Result<Answered, Stop> {
        if ended_well || !completes_answer(framing) {
            self.hand_on_all()?;
        }
        match framing.ending() {
            Ending::Short { .. } => {
                warn_of_length(framing, "the connection is cut", logs);
                Ok(Answered::CutOff(status))
            }
            Ending::Long { .. } => {
                warn_of_length(framing, "what was too much is cut off", logs);
                Ok(if ended_well { Answered::Complete(status) } else { Answered::CutOff(status) })
            }
            Ending::Complete if ended_well => Ok(Answered::Complete(status)),
            Ending::Complete => Ok(Answered::CutOff(status)),
        }
    }
}

/// Whether a client that has all that was written has the whole answer: it sees its end by a length,
/// or by there being no body, and waits for nothing more.
fn completes_answer(framing: &Framing) -> bool {
    let is_short = matches!(framing.ending(), Ending::Short { .. });
    !framing.has_body() || (framing.content_length().is_some() && !is_short)
}

fn warn_of_length(framing: &Framing, consequence: &str, logs: &mut Logs) {
    if let Ending::Short { declared, written } | Ending::Long { declared, written } = framing.ending() {
        let text = format!("Content-Length is {declared}, but the body has {written} bytes: {consequence}");
        logs.platform(Level::WARNING, &text);
    }
}

impl Output for CgiAnswer {
    fn write(&mut self, bytes: &[u8], logs: &mut Logs) -> Result<(), Stop> {
        match &mut self.state {
            State::Header(output) => match output.push(bytes) {
                Ok(None) => Ok(()),
                Ok(Some((answer, rest))) => {
                    self.begin(answer, logs)?;
                    self.body(rest)
                }
                Err(malformed) => {
                    self.state = State::Failed;
                    Err(Stop::BadOutput(malformed))
                }
            },
            State::Body { .. } => self.body(bytes),
            State::LocalRedirect(_) => Err(Stop::Redirected),
            State::Failed => Err(Stop::OutputClosed),
        }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        self.hand_on()
    }

    fn finish(&mut self, ended_well: bool, logs: &mut Logs) -> Result<Answered, Stop> {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::LocalRedirect(target) => Ok(Answered::LocalRedirect(target)),
            State::Failed => Ok(Answered::Nothing),
            State::Header(output) if ended_well => Err(Stop::BadOutput(output.finish())),
            State::Header(_) => Ok(Answered::Nothing),
            State::Body { head: Some(head), framing, .. } => {
                self.finish_whole(head, &framing, ended_well, logs)
            }
            State::Body { head: None, framing, status } => {
                self.state = State::Body { head: None, framing: framing.clone(), status };
                self.finish_begun(&framing, status, ended_well, logs)
            }
        }
    }

    fn abandon(&mut self) -> Answered {
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Body { head: None, status, .. } => Answered::CutOff(status),
            _ => Answered::Nothing,
        }
    }
}
