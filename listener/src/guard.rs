//! Between hyper and the stream: what a client may keep us waiting for, and for how long.
//!
//! hyper reads a stream until it has a header block, then while the service wants the body, then
//! (to notice a client that goes away) while the service works. hyper's own `header_read_timeout`
//! begins when the previous response ends, so it cannot tell an idle connection from a header block
//! that drips; it is switched off. This wrapper knows from [`Framing`] what the next byte would
//! belong to, and from [`Status`] whether a response is being made, so each wait gets its own clock.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Settings;
use crate::connection::Status;
use crate::framing::{Framing, Phase, Violation};
use crate::linger::LINGER;
use crate::pace::{BodyStall, Pace};
use crate::socket::Stream;
use crate::timer::Timer;

/// Follows what came of a header block that is refused. A NUL is nowhere allowed in one, so hyper
/// answers with 400 and closes; the empty line makes it look at once.
const POISON: &[u8] = b"\0\r\n\r\n";
/// The answer to a header block that does not end.
const HEADER_TIMEOUT_ANSWER: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
/// Bytes thrown away at a time.
const LINGER_BUFFER_BYTES: usize = 4096;

/// A stream whose client is given no more time than it should have.
#[derive(Debug)]
pub(crate) struct Guard {
    stream: Stream,
    status: Arc<Status>,
    settings: Arc<Settings>,
    framing: Framing,
    timer: Timer,
    waiting: Waiting,
    pace: Pace,
    refused: Refused,
    /// Whether the client has not taken all that was written.
    write_blocked: bool,
    /// Whether the client will send nothing more.
    ended: bool,
    /// Whether nothing more will be written.
    shut: bool,
    /// Whether the client sends what nobody will read.
    more_expected: bool,
}

/// What the timer is set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing that the client owes us.
    Nothing,
    /// The next request.
    Idle,
    /// The rest of the header block with this number.
    Head(u32),
    /// More of a body.
    Body(BodyStall),
}

/// Whether the stream of requests broke a rule of [`Framing`].
#[derive(Clone, Copy, Debug)]
enum Refused {
    No,
    /// In a header block: what is left of the poison.
    Head(&'static [u8]),
    Body,
}

impl Guard {
    pub(crate) fn new(stream: Stream, status: Arc<Status>, settings: Arc<Settings>) -> Guard {
        Guard {
            stream,
            status,
            settings,
            framing: Framing::default(),
            timer: Timer::default(),
            waiting: Waiting::Nothing,
            pace: Pace::default(),
            refused: Refused::No,
            write_blocked: false,
            ended: false,
            shut: false,
            more_expected: false,
        }
    }

    /// Looks at what was read; `before` bytes of the buffer are older.
    fn arrived(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let new = buf.filled().get(before..).unwrap_or_default();
        if new.is_empty() {
            self.ended = true;
            return Ok(());
        }
        if self.framing.phase() == Phase::Body {
            self.pace.arrived(self.framing.heads(), new.len());
        }
        let advanced = self.framing.advance(new);
        // Bytes that drip do not make a header block's time longer.
        if self.waiting != Waiting::Head(self.framing.heads()) {
            self.waiting = Waiting::Nothing;
            self.timer.stop();
        }
        match advanced {
            Ok(()) => Ok(()),
            Err(Violation { at, phase: Phase::Body }) => {
                self.refused = Refused::Body;
                buf.set_filled(before + at);
                if at == 0 { Err(malformed()) } else { Ok(()) }
            }
            Err(Violation { at, phase: Phase::Between | Phase::Head }) => {
                self.refused = Refused::Head(POISON);
                buf.set_filled(before + at);
                self.read_poison(buf);
                Ok(())
            }
        }
    }

    /// Hands out the poison; whether there was any.
    fn read_poison(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let Refused::Head(poison) = &mut self.refused else { return false };
        let Some((now, later)) = poison.split_at_checked(buf.remaining().min(poison.len())) else {
            return false;
        };
        buf.put_slice(now);
        *poison = later;
        !now.is_empty()
    }

    /// Waits for what the client owes us; ready when it takes too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let busy = self.status.is_busy() || self.write_blocked;
        match (self.framing.phase(), self.waiting) {
            (Phase::Between | Phase::Head, _) if busy => {
                self.waiting = Waiting::Nothing;
                self.timer.stop();
            }
            (Phase::Between, Waiting::Idle) | (Phase::Body, Waiting::Body(_)) => {}
            (Phase::Head, Waiting::Head(head)) if head == self.framing.heads() => {}
            (Phase::Between, _) => self.wait(Waiting::Idle, self.settings.idle_timeout),
            (Phase::Head, _) => self.wait(Waiting::Head(self.framing.heads()), self.settings.header_timeout),
            (Phase::Body, _) => {
                let (stall, patience) = self.pace.patience(self.framing.heads(), &self.settings);
                self.wait(Waiting::Body(stall), patience);
            }
        }
        ready!(self.timer.poll(cx));
        Poll::Ready(match self.waiting {
            Waiting::Body(stall) => io::Error::new(io::ErrorKind::TimedOut, stall),
            Waiting::Nothing | Waiting::Idle | Waiting::Head(_) => io::ErrorKind::TimedOut.into(),
        })
    }

    fn wait(&mut self, waiting: Waiting, patience: Duration) {
        self.waiting = waiting;
        self.timer.start(patience);
    }

    /// Remembers whether the client keeps us from writing.
    fn wrote<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.write_blocked = polled.is_pending();
        polled
    }

    /// Throws away what the client still sends, until it stops, goes away or [`LINGER`] is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; LINGER_BUFFER_BYTES];
        loop {
            if self.timer.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.more_expected = true,
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the body's framing is malformed")
}

impl AsyncRead for Guard {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.refused {
            Refused::No => {}
            Refused::Body => return Poll::Ready(Err(malformed())),
            Refused::Head(_) => {
                // hyper answers and closes once it has all of it; nothing more is read.
                return if this.read_poison(buf) { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
        }
        let before = buf.filled().len();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            return Poll::Ready(read.and_then(|()| this.arrived(buf, before)));
        }
        let error = ready!(this.poll_patience(cx));
        if matches!(this.waiting, Waiting::Head(_)) && !this.write_blocked {
            // Nothing else is being written, so this fits the socket's buffer or the client is gone.
            let _ = Pin::new(&mut this.stream).poll_write(cx, HEADER_TIMEOUT_ANSWER);
        }
        Poll::Ready(Err(error))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.wrote(polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes last of all. When a response ends here, hyper need not read again before there
    /// is something to read, so this is where the wait for the next request begins.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        ready!(this.wrote(polled))?;
        if matches!(this.refused, Refused::No)
            && !this.ended
            && this.framing.phase() != Phase::Body
            && this.poll_patience(cx).is_ready()
        {
            // It is for the next read to say so.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.shut = true;
            this.more_expected =
                !matches!(this.refused, Refused::No) || this.framing.phase() != Phase::Between;
            this.timer.start(LINGER);
        }
        if !this.ended && this.poll_linger(cx).is_pending() && this.more_expected {
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Where the end of the connection is the end of the body, only a reset says "cut".
        if self.status.ends_unclean() {
            self.stream.end_with_reset();
        }
    }
}
