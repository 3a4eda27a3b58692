//! One request and its answer.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::timeout;

use super::request::normalize;
use crate::pace::{BodyStall, Pace};
use crate::timer::Timer;
use crate::{Body, BodyError, Peer, ResponseBody, Settings};

/// Fields that belong to a connection, which HTTP/2 has no place for (RFC 9113 section 8.2.2).
const OF_THE_CONNECTION: [HeaderName; 6] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Only the body of one request is counted.
const THIS_REQUEST: u32 = 0;

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was answered, or failed on our side.
    Answered,
    /// The client gave it up, or did not take the answer.
    GivenUp,
}

/// Answers one request. Whatever is dropped before it is done resets the stream.
pub(crate) async fn answer<F, Fut>(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Peer,
    service: F,
    settings: Arc<Settings>,
) -> Ended
where
    F: Fn(Request<Body>, Peer) -> Fut + Send,
    Fut: Future<Output = Response<ResponseBody>> + Send,
{
    let head_only = request.method() == Method::HEAD;
    let (mut parts, incoming) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let mut bare = Request::from_parts(parts, ());
    let refused = normalize(&mut bare, &settings);
    (parts, ()) = bare.into_parts();
    let response = match refused {
        Some(refusal) => refusal,
        None => {
            let waits = |what: &HeaderValue| what.as_bytes().eq_ignore_ascii_case(b"100-continue");
            if parts.headers.get(EXPECT).is_some_and(waits) {
                let mut go_on = Response::new(());
                *go_on.status_mut() = StatusCode::CONTINUE;
                // A client that is gone is noticed below.
                let _ = respond.send_informational(go_on);
            }
            let body = RequestBody::new(incoming, length, Arc::clone(&settings));
            let client = settings.trusted_proxies.client(peer, &parts.headers);
            let mut response = pin!(service(Request::from_parts(parts, body.into()), client));
            let response = poll_fn(|cx| match respond.poll_reset(cx) {
                Poll::Ready(_) => Poll::Ready(None),
                Poll::Pending => response.as_mut().poll(cx).map(Some),
            });
            match response.await {
                Some(response) => response,
                None => return Ended::GivenUp,
            }
        }
    };
    send(response, head_only, &mut respond, &settings).await
}

async fn send(
    response: Response<ResponseBody>,
    head_only: bool,
    respond: &mut SendResponse<Bytes>,
    settings: &Settings,
) -> Ended {
    let (mut head, body) = response.into_parts();
    strip(&mut head.headers);
    if !head.headers.contains_key(DATE)
        && let Ok(now) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now()))
    {
        head.headers.insert(DATE, now);
    }
    let bodiless = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !bodiless
        && !head.headers.contains_key(CONTENT_LENGTH)
        && let Some(bytes) = body.size_hint().exact()
    {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    }
    let whole = bodiless || head_only || body.is_end_stream();
    let stream = match respond.send_response(Response::from_parts(head, ()), whole) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::debug!(%error, "an answer cannot be sent");
            respond.send_reset(Reason::INTERNAL_ERROR);
            return Ended::Answered;
        }
    };
    if whole { Ended::Answered } else { send_body(body, stream, settings).await }
}

/// Sends a body no faster than the client takes it.
async fn send_body(mut body: ResponseBody, mut stream: SendStream<Bytes>, settings: &Settings) -> Ended {
    loop {
        let frame = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(Err(Ended::GivenUp)),
            Poll::Pending => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        let sent = match frame.await {
            Err(ended) => return ended,
            Ok(None) => return done(stream.send_data(Bytes::new(), true)),
            Ok(Some(Err(_))) => {
                // The client sees a truncated answer, and never a clean end.
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Ended::Answered;
            }
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) => send_data(bytes, body.is_end_stream(), &mut stream, settings).await,
                Err(frame) => match frame.into_trailers() {
                    Ok(mut trailers) => {
                        strip(&mut trailers);
                        return done(stream.send_trailers(trailers));
                    }
                    Err(_) => Ok(false),
                },
            },
        };
        match sent {
            Ok(false) => {}
            Ok(true) => return Ended::Answered,
            Err(ended) => return ended,
        }
    }
}

/// Sends a piece of a body; whether that was all of it. Only what the client has room for is handed
/// to `h2`, so that nothing waits there without a clock.
async fn send_data(
    mut bytes: Bytes,
    last: bool,
    stream: &mut SendStream<Bytes>,
    settings: &Settings,
) -> Result<bool, Ended> {
    if bytes.is_empty() && !last {
        return Ok(false);
    }
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = match timeout(settings.write_timeout, poll_fn(|cx| poll_room(stream, cx))).await {
            Ok(room) => room?,
            Err(_) => {
                tracing::debug!("a client does not take its answer, the stream is reset");
                stream.send_reset(Reason::CANCEL);
                return Err(Ended::GivenUp);
            }
        };
        let piece = bytes.split_to(room.min(bytes.len()));
        let ends = last && bytes.is_empty();
        stream.send_data(piece, ends).map_err(|_| Ended::GivenUp)?;
    }
    Ok(last)
}

/// How many bytes the client has room for, once it has any.
fn poll_room(stream: &mut SendStream<Bytes>, cx: &mut Context<'_>) -> Poll<Result<usize, Ended>> {
    loop {
        let room = stream.capacity();
        if room > 0 {
            return Poll::Ready(Ok(room));
        }
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Ended::GivenUp));
        }
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Poll::Ready(Err(Ended::GivenUp)),
        }
    }
}

fn done(sent: Result<(), h2::Error>) -> Ended {
    if sent.is_ok() { Ended::Answered } else { Ended::GivenUp }
}

fn strip(headers: &mut HeaderMap) {
    for name in &OF_THE_CONNECTION {
        headers.remove(name);
    }
}

/// A request's body. It has its own clock, since its connection carries others meanwhile.
#[derive(Debug)]
pub(crate) struct RequestBody {
    stream: RecvStream,
    /// What is left of the announced length.
    left: Option<u64>,
    settings: Arc<Settings>,
    pace: Pace,
    timer: Timer,
    /// What it is if the timer goes off; `None` while nothing is waited for.
    stall: Option<BodyStall>,
    part: Part,
}

/// What comes next of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Data,
    Trailers,
    Nothing,
}

impl RequestBody {
    fn new(stream: RecvStream, length: Option<u64>, settings: Arc<Settings>) -> RequestBody {
        RequestBody {
            stream,
            left: length,
            settings,
            pace: Pace::default(),
            timer: Timer::default(),
            stall: None,
            part: Part::Data,
        }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = match self.poll_part(cx) {
            Poll::Ready(part) => Poll::Ready(part),
            Poll::Pending => self.poll_patience(cx).map(|stall| Some(Err(stall.into()))),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
                self.pace.arrived(THIS_REQUEST, bytes);
                self.stall = None;
                self.timer.stop();
            }
            Poll::Ready(_) => self.part = Part::Nothing,
            Poll::Pending => {}
        }
        polled
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.part == Part::Data {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) => {
                    // It was taken, so the client may send as much again; a stream that is over need not know.
                    let _ = self.stream.flow_control().release_capacity(bytes.len());
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(failure(&error)))),
                None => self.part = Part::Trailers,
            }
        }
        if self.part == Part::Nothing {
            return Poll::Ready(None);
        }
        match ready!(self.stream.poll_trailers(cx)) {
            Ok(trailers) => {
                self.part = Part::Nothing;
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) => Poll::Ready(Some(Err(failure(&error)))),
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<BodyStall> {
        let stall = match self.stall {
            Some(stall) => stall,
            None => {
                let (stall, patience) = self.pace.patience(THIS_REQUEST, &self.settings);
                self.timer.start(patience);
                *self.stall.insert(stall)
            }
        };
        self.timer.poll(cx).map(|()| stall)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.part == Part::Nothing || self.stream.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self.left {
            _ if self.is_end_stream() => SizeHint::with_exact(0),
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }
}

fn failure(error: &h2::Error) -> BodyError {
    // A body that disagrees with its length, for instance: `h2` resets the stream.
    let malformed = error.is_library() && error.is_reset();
    if malformed { BodyError::Malformed } else { BodyError::Disconnected }
}
