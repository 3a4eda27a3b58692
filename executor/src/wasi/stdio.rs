//! A guest's standard streams: the request's body, the CGI answer, the log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use super::guest::Guest;

/// Most bytes that a guest may write before it is asked to wait for a slow reader.
const WRITE_BYTES_MAX: usize = 64 << 10;

/// Standard input: the request's body, which is there already.
#[derive(Clone)]
pub(super) struct Stdin(pub(super) Arc<Guest>);

impl Stdin {
    fn take(&self, size: usize) -> Option<Bytes> {
        let taken = self.0.with(|session| {
            let taken = session.stdin.split_to(size.min(session.stdin.len()));
            session.used.bytes_in += taken.len() as u64;
            taken
        });
        taken.filter(|bytes| !bytes.is_empty())
    }
}

#[async_trait::async_trait]
impl Pollable for Stdin {
    async fn ready(&mut self) {}
}

impl InputStream for Stdin {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        self.take(size).ok_or(StreamError::Closed)
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(bytes) = self.take(buffer.remaining()) {
            buffer.put_slice(&bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

/// Which of the two a guest writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// The CGI answer.
    Answer,
    /// The log.
    Log,
}

/// Standard output or standard error.
#[derive(Clone)]
pub(super) struct Stdout(pub(super) Arc<Guest>, pub(super) To);

impl Stdout {
    /// Takes all the bytes.
    fn put(&self, bytes: &[u8]) -> Result<(), wasmtime::Error> {
        let Stdout(guest, to) = self;
        let put = guest.with(|session| match to {
            To::Answer => session.write_stdout(bytes),
            To::Log => {
                session.logs.stderr(bytes);
                Ok(())
            }
        });
        match put {
            Some(Err(stop)) => Err(guest.stop(stop)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn is_behind(&self) -> bool {
        self.1 == To::Answer && self.0.reader.as_ref().is_some_and(|reader| reader.is_behind())
    }

    async fn caught_up(&self) {
        if self.1 == To::Answer
            && let Some(reader) = &self.0.reader
            && let Err(stop) = reader.caught_up().await
        {
            // The next write says so.
            drop(self.0.stop(stop));
        }
    }
}

#[async_trait::async_trait]
impl Pollable for Stdout {
    async fn ready(&mut self) {
        self.caught_up().await;
    }
}

impl OutputStream for Stdout {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes).map_err(StreamError::Trap)
    }

    fn flush(&mut self) -> StreamResult<()> {
        // Programs flush after every line. What they wrote is sent when there is enough of it, when they wait
        // for something, or when they end (`run`).
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(if self.is_behind() { 0 } else { WRITE_BYTES_MAX })
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}
