//! An end that the client can read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::Stream;
use crate::timer::Timer;

/// How long what a client still sends is thrown away after the last that it was told. A socket that
/// is closed with unread bytes sends a reset, and the client may lose the answer to it.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// Bytes thrown away at a time.
const LINGER_BUFFER_BYTES: usize = 4096;

/// A stream that, once it is shut down, is read until the client ends it or [`LINGER`] is over.
#[derive(Debug)]
pub(crate) struct Lingering {
    stream: Stream,
    timer: Timer,
    /// Whether nothing more will be written.
    shut: bool,
    /// Whether the client has not taken all that was written.
    write_blocked: bool,
    sign: Arc<Sign>,
}

/// Whether the client showed that it is there: it sent something, or took what it had no room for.
#[derive(Debug, Default)]
pub(crate) struct Sign(AtomicBool);

impl Sign {
    fn show(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether there was one since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Relaxed)
    }
}

impl Lingering {
    pub(crate) fn new(stream: Stream, sign: Arc<Sign>) -> Lingering {
        Lingering { stream, timer: Timer::default(), shut: false, write_blocked: false, sign }
    }

    /// What goes into the kernel's own buffers says nothing about the client.
    fn wrote<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.write_blocked && matches!(polled, Poll::Ready(Ok(_))) {
            self.sign.show();
        }
        self.write_blocked = polled.is_pending();
        polled
    }

    /// Throws away what still comes.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; LINGER_BUFFER_BYTES];
        loop {
            if self.timer.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.sign.show();
        }
        polled
    }
}

impl AsyncWrite for Lingering {
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.shut = true;
            this.timer.start(LINGER);
        }
        ready!(this.poll_rest(cx));
        Poll::Ready(Ok(()))
    }
}
