//! A request's body.

use std::error::Error as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use crate::http2::RequestBody;
use crate::pace::BodyStall;

/// A request's body, as it arrives. Nothing is read from the client faster than this is polled.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Incoming(Incoming),
    Http2(Box<RequestBody>),
    Full(Option<Bytes>),
}

impl Body {
    /// The whole body, if it has at most `max` bytes.
    ///
    /// A `Content-Length` above `max` is refused before anything is read, and before the client is
    /// told to go on where it asked (`Expect: 100-continue`).
    pub async fn collect(mut self, max: usize) -> Result<Bytes, CollectError> {
        let least = usize::try_from(self.size_hint().lower()).unwrap_or(usize::MAX);
        if least > max {
            return Err(CollectError::TooLarge { max });
        }
        let Some(first) = self.next_data().await? else { return Ok(Bytes::new()) };
        if first.len() > max {
            return Err(CollectError::TooLarge { max });
        }
        // Most bodies arrive in one piece, and are handed on without a copy.
        let Some(second) = self.next_data().await? else { return Ok(first) };
        // What the client promises to send is not reserved before it arrives.
        let mut whole = BytesMut::from(first);
        let mut piece = Some(second);
        while let Some(bytes) = piece {
            if bytes.len() > max.saturating_sub(whole.len()) {
                return Err(CollectError::TooLarge { max });
            }
            whole.extend_from_slice(&bytes);
            piece = self.next_data().await?;
        }
        Ok(whole.freeze())
    }

    /// The next bytes of the body; trailers are dropped.
    async fn next_data(&mut self) -> Result<Option<Bytes>, BodyError> {
        while let Some(frame) = self.frame().await {
            if let Ok(bytes) = frame?.into_data()
                && !bytes.is_empty()
            {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }
}

impl From<Incoming> for Body {
    fn from(incoming: Incoming) -> Body {
        Body(Kind::Incoming(incoming))
    }
}

impl From<RequestBody> for Body {
    fn from(body: RequestBody) -> Body {
        Body(Kind::Http2(Box::new(body)))
    }
}

/// A body that is there already, for callers that have no connection.
impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Body {
        Body(Kind::Full(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.get_mut().0 {
            Kind::Incoming(incoming) => {
                Pin::new(incoming).poll_frame(cx).map_err(|error| BodyError::from_hyper(&error))
            }
            Kind::Http2(body) => body.poll_frame(cx),
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(Frame::data).map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Incoming(incoming) => incoming.is_end_stream(),
            Kind::Http2(body) => body.is_end_stream(),
            Kind::Full(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Incoming(incoming) => incoming.size_hint(),
            Kind::Http2(body) => body.size_hint(),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

/// Why a body did not arrive whole. The connection ends after the answer, whatever it is; of HTTP/2, the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Nothing arrived for [`crate::Settings::body_timeout`]; the fitting answer is 408.
    #[error("the request's body stood still for too long")]
    TimedOut,
    /// It came slower than [`crate::Settings::body_bytes_per_second_min`]; the fitting answer is 408.
    #[error("the request's body came too slowly")]
    TooSlow,
    /// It is no well-formed chunked coding, or disagrees with its length; the fitting answer is 400.
    #[error("the request's body is not well-formed")]
    Malformed,
    /// The client went away, or the connection failed.
    #[error("the client went away before the request's body was complete")]
    Disconnected,
}

impl BodyError {
    fn from_hyper(error: &hyper::Error) -> BodyError {
        let Some(cause) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) else {
            return BodyError::Disconnected;
        };
        match cause.get_ref().and_then(|inner| inner.downcast_ref::<BodyStall>()) {
            Some(stall) => BodyError::from(*stall),
            // hyper's chunked decoder uses these two for what it cannot read, and nothing else does.
            None => match cause.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => BodyError::Malformed,
                _ => BodyError::Disconnected,
            },
        }
    }
}

impl From<BodyStall> for BodyError {
    fn from(stall: BodyStall) -> BodyError {
        match stall {
            BodyStall::StoodStill => BodyError::TimedOut,
            BodyStall::TooSlow => BodyError::TooSlow,
        }
    }
}

/// Why [`Body::collect`] has nothing to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CollectError {
    /// The body is larger than allowed; the fitting answer is 413.
    #[error("the request's body is larger than {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// The body did not arrive whole.
    #[error(transparent)]
    Body(#[from] BodyError),
}
