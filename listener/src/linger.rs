//! The stream under HTTP/2: an end that the client can read, and no more read than is fair.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::http2::Control;
use crate::socket::Stream;
use crate::timer::Timer;

/// How long what a client still sends is thrown away after the last that it was told. A socket that
/// is closed with unread bytes sends a reset, and the client may lose the answer to it.
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// Bytes thrown away at a time.
const LINGER_BUFFER_BYTES: usize = 4096;
/// Bytes thrown away in all: twice what an honest client may have on its way.
const LINGER_BYTES_MAX: usize = 4 << 20;
/// Bytes read before others have their turn. What comes decrypted out of a buffer is never waited
/// for, so that one client could keep a thread busy as long as it sends.
const TURN_BYTES_MAX: usize = 32 << 10;

/// A stream that, once it is shut down, is read until the client ends it or [`LINGER`] is over.
#[derive(Debug)]
pub(crate) struct Lingering {
    stream: Stream,
    timer: Timer,
    /// Whether nothing more will be written.
    shut: bool,
    /// Whether the client has not taken all that was written.
    write_blocked: bool,
    /// What was read since the task gave way.
    turn_bytes: usize,
    /// What was thrown away.
    rest_bytes: usize,
    control: Control,
    sign: Arc<Sign>,
}

/// What is seen of the client. Only the connection's own task touches it.
#[derive(Debug, Default)]
pub(crate) struct Sign {
    /// It is there: it sent something, or took what it had no room for.
    life: AtomicBool,
    /// It sent too many frames that carry nothing.
    flood: AtomicBool,
}

impl Sign {
    fn show(&self) {
        self.life.store(true, Relaxed);
    }

    /// Whether there was a sign of life since this was asked last.
    pub(crate) fn take(&self) -> bool {
        self.life.swap(false, Relaxed)
    }

    /// Whether the client is not listened to any more, since it [floods](Control).
    pub(crate) fn floods(&self) -> bool {
        self.flood.load(Relaxed)
    }
}

impl Lingering {
    pub(crate) fn new(stream: Stream, sign: Arc<Sign>) -> Lingering {
        Lingering {
            stream,
            timer: Timer::default(),
            shut: false,
            write_blocked: false,
            turn_bytes: 0,
            rest_bytes: 0,
            control: Control::new(Instant::now()),
            sign,
        }
    }

    /// What goes into the kernel's own buffers says nothing about the client.
    fn wrote(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.control.sent(*bytes);
            if self.write_blocked {
                self.sign.show();
            }
        }
        self.write_blocked = polled.is_pending();
        polled
    }

    /// Pending, with another turn to come, once enough was read in this one.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.turn_bytes < TURN_BYTES_MAX {
            return Poll::Ready(());
        }
        self.turn_bytes = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads, and counts it in this turn.
    fn poll_piece(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(cx));
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        match polled {
            Poll::Ready(_) => self.turn_bytes += buf.filled().len() - before,
            Poll::Pending => self.turn_bytes = 0,
        }
        polled
    }

    /// Throws away what still comes.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; LINGER_BUFFER_BYTES];
        while self.rest_bytes < LINGER_BYTES_MAX {
            if self.timer.poll(cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buf = ReadBuf::new(&mut scratch);
            match ready!(self.poll_piece(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.rest_bytes += buf.filled().len(),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Lingering {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.sign.floods() {
            // The connection's task knows, and ends it.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = this.poll_piece(cx, buf);
        let (_, came) = buf.filled().split_at(before);
        if !came.is_empty() {
            this.sign.show();
            if !this.control.came(came, Instant::now()) {
                this.sign.flood.store(true, Relaxed);
                cx.waker().wake_by_ref();
            }
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::socket::Socket;

    #[tokio::test]
    async fn others_have_their_turn_while_a_client_sends() {
        const BYTES: usize = 1 << 20;
        const PIECE_BYTES: usize = 4 << 10;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        // After the preface, one frame with room for all of it.
        let sending = tokio::spawn(async move { client.write_all(&[0xff; BYTES]).await });
        let stream = Stream::Plain(Socket::new(tcp, LINGER));
        let mut stream = Lingering::new(stream, Arc::default());
        let (mut read, mut turn) = (0, 0);
        std::future::poll_fn(|cx| {
            loop {
                let mut scratch = [0; PIECE_BYTES];
                let mut buf = ReadBuf::new(&mut scratch);
                let polled = Pin::new(&mut stream).poll_read(cx, &mut buf);
                if polled.is_pending() {
                    turn = 0;
                    return Poll::Pending;
                }
                let came = buf.filled().len();
                (read, turn) = (read + came, turn + came);
                assert!(turn < TURN_BYTES_MAX + PIECE_BYTES, "{turn} bytes in one turn");
                if came == 0 {
                    return Poll::Ready(());
                }
            }
        })
        .await;
        sending.await.unwrap().unwrap();
        assert_eq!(read, BYTES);
    }
}
