//! HTTP/2: one connection, many requests.
//!
//! This speaks through the crate `h2` itself, because two bounds need what hyper's server keeps to
//! itself: how long a client may take nothing of one answer while it takes others, and how many
//! requests it may begin and give up (CVE-2023-44487). A request's body has its own clock, too.
//!
//! | what | bound | what the client gets |
//! |---|---|---|
//! | preface and settings | [`Settings::header_timeout`] | close |
//! | requests at once | [`Settings::http2_streams_max`] | the stream is refused |
//! | requests given up by the client | [`Settings::http2_resets_max`], and [`PENDING_RESETS_MAX`] before they begin | GOAWAY, close |
//! | requests given up for the client's errors | [`LOCAL_RESETS_MAX`] | GOAWAY, close |
//! | header list | [`Settings::header_bytes_max`] and [`Settings::header_fields_max`] | 431; GOAWAY at four times as much |
//! | frames that carry nothing | the private module `control` | GOAWAY, close |
//! | CONTINUATION frames of one header block | five, by `h2` | GOAWAY, close |
//! | a body that stands still or is slow | as HTTP/1.1 | [`crate::BodyError`], then the stream is reset |
//! | an answer that is not taken | [`Settings::write_timeout`] | the stream is reset |
//! | a connection without requests | [`Settings::idle_timeout`] | GOAWAY, close |
//! | a client that gives no sign of life | [`Settings::http2_ping_interval`], [`Settings::http2_ping_timeout`] | close |
//! | what is kept of bodies that nobody reads yet | [`STREAM_WINDOW_BYTES`], [`CONNECTION_WINDOW_BYTES`] | may not send more |
//! | what is kept of answers that are not sent yet | [`SEND_BUFFER_BYTES_MAX`] a stream | |

mod budget;
mod control;
mod request;
mod stream;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{Builder, Connection};
use h2::{PingPong, Reason};
use http::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::budget::Budget;
pub(crate) use self::control::Control;
pub(crate) use self::stream::RequestBody;
use self::stream::{Ended, answer};
use crate::connection::Port;
use crate::linger::{LINGER, Lingering, Sign};
use crate::serve::report;
use crate::socket::Stream;
use crate::{Body, Peer, ResponseBody, Settings};

/// What a client may send of one body before it is read.
const STREAM_WINDOW_BYTES: u32 = 128 << 10;
/// What a client may send of all bodies before any is read.
const CONNECTION_WINDOW_BYTES: u32 = 2 << 20;
/// The smallest that the protocol allows: frames interleave well, and none is kept for long.
const FRAME_BYTES_MAX: u32 = 16 << 10;
/// What is kept of one answer until it is sent.
const SEND_BUFFER_BYTES_MAX: usize = 64 << 10;
/// What each field counts beside its name and value (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD_BYTES: usize = 32;
/// Requests that the client gave up before they were looked at.
const PENDING_RESETS_MAX: usize = 20;
/// Requests that had to be reset because the client broke the protocol.
const LOCAL_RESETS_MAX: usize = 100;
/// The part of [`Settings::http2_resets_max`] that comes back each second.
const RESETS_RETURN: u32 = 10;
/// Streams that are not cleaned up yet, for each that may be open.
const UNFINISHED_FACTOR: usize = 2;

/// Runs a connection to its end.
pub(crate) async fn speak<F, Fut>(port: &Port, stream: Stream, peer: Peer, service: F)
where
    F: Fn(Request<Body>, Peer) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let sign = Arc::new(Sign::default());
    let handshake = builder(&port.settings).handshake(Lingering::new(stream, Arc::clone(&sign)));
    let connection = tokio::select! {
        () = port.drain.begun() => return,
        shaken = timeout(port.settings.header_timeout, handshake) => match shaken {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(peer = %peer.addr, %error, "HTTP/2 did not begin");
                return;
            }
            Err(_) => return,
        },
    };
    let ended = Conversation::new(connection, sign, port).run(peer, service).await;
    if let Err(error) = ended {
        tracing::debug!(peer = %peer.addr, error, "HTTP/2 connection ended early");
    }
}

fn builder(settings: &Settings) -> Builder {
    // What fits HTTP/1.1's header block fits this.
    let header_list = settings.header_bytes_max + settings.header_fields_max * FIELD_OVERHEAD_BYTES;
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(settings.http2_streams_max)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_header_list_size(u32::try_from(header_list).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX));
    builder
}

/// A connection that is being served.
struct Conversation<'a> {
    connection: Connection<Lingering, Bytes>,
    port: &'a Port,
    /// One task for each request; they end with the connection.
    streams: JoinSet<Ended>,
    resets: Budget,
    pings: Option<PingPong>,
    ping: Ping,
    sign: Arc<Sign>,
    /// When the last stream ended.
    idle_since: Instant,
    /// When the client was told that the connection ends.
    left: Option<Instant>,
    /// Since when nothing is left since then but the client's farewell.
    quiet_since: Option<Instant>,
}

/// What is known of the client's being there.
enum Ping {
    /// When it is asked next.
    Due(Instant),
    /// It was asked; when the answer is overdue.
    Awaited(Instant),
}

impl<'a> Conversation<'a> {
    fn new(
        mut connection: Connection<Lingering, Bytes>,
        sign: Arc<Sign>,
        port: &'a Port,
    ) -> Conversation<'a> {
        let now = Instant::now();
        let resets_max = port.settings.http2_resets_max;
        Conversation {
            pings: connection.ping_pong(),
            connection,
            streams: JoinSet::new(),
            resets: Budget::new(resets_max, resets_max.div_ceil(RESETS_RETURN), now),
            ping: Ping::Due(now + port.settings.http2_ping_interval),
            sign,
            idle_since: now,
            left: None,
            quiet_since: None,
            port,
        }
    }

    async fn run<F, Fut>(mut self, peer: Peer, service: F) -> Result<(), String>
    where
        F: Fn(Request<Body>, Peer) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<ResponseBody>> + Send + 'static,
    {
        let unfinished_max =
            UNFINISHED_FACTOR * usize::try_from(self.port.settings.http2_streams_max).unwrap_or(usize::MAX);
        let mut drain = pin!(self.port.drain.begun());
        let mut draining = false;
        let mut calmed = false;
        let mut alarm = pin!(sleep_until(self.next_look()));
        loop {
            let awaited = matches!(self.ping, Ping::Awaited(_));
            tokio::select! {
                biased;
                () = &mut drain, if !draining => {
                    draining = true;
                    // For how long requests may go on is for the port to say.
                    self.leave();
                }
                () = poll_fn(|_| if self.sign.floods() { Poll::Ready(()) } else { Poll::Pending }), if !calmed => {
                    calmed = true;
                    tracing::debug!(peer = %peer.addr, "a client floods the connection with frames that carry nothing");
                    self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                }
                Some(ended) = self.streams.join_next() => self.stream_ended(ended),
                answered = poll_fn(|cx| match &mut self.pings {
                    Some(pings) => pings.poll_pong(cx).map(|pong| pong.is_ok()),
                    None => Poll::Pending,
                }), if awaited => match answered {
                    true => self.ping = Ping::Due(Instant::now() + self.port.settings.http2_ping_interval),
                    false => self.pings = None,
                },
                () = alarm.as_mut() => {
                    self.look(Instant::now())?;
                    alarm.as_mut().reset(self.next_look());
                }
                accepted = poll_fn(|cx| self.connection.poll_accept(cx)) => match accepted {
                    None => return Ok(()),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok((request, respond))) => {
                        if self.streams.len() >= unfinished_max {
                            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                            continue;
                        }
                        let settings = self.port.settings.clone();
                        self.streams.spawn(answer(request, respond, peer, service.clone(), settings));
                    }
                },
            }
            if self.left.is_some() {
                let quiet = self.streams.is_empty() && !self.connection.has_streams();
                self.quiet_since = quiet.then(|| self.quiet_since.unwrap_or_else(Instant::now));
                let next = self.next_look();
                if next < alarm.deadline() {
                    alarm.as_mut().reset(next);
                }
            }
        }
    }

    fn stream_ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let now = Instant::now();
        self.idle_since = now;
        if matches!(ended, Ok(Ended::GivenUp)) && !self.resets.take(now) {
            tracing::debug!("a client gives up request after request");
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        }
        report(ended);
    }

    /// No new requests; those that are open, or on their way, go on.
    fn leave(&mut self) {
        if self.left.is_none() {
            self.connection.graceful_shutdown();
            self.left = Some(Instant::now());
        }
    }

    /// When a connection that was told to end is cut: not while a request is answered.
    fn cut_at(&self) -> Option<Instant> {
        let left = self.left?;
        match self.quiet_since {
            Some(since) => Some(since + LINGER),
            // What was answered is still on its way to the client.
            None if self.streams.is_empty() => Some(left.max(self.idle_since) + self.port.settings.drain),
            None => None,
        }
    }

    /// When there is something to look at. A deadline that moved since is met when it is looked at.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let (Ping::Due(ping) | Ping::Awaited(ping)) = self.ping;
        let due = match (self.cut_at(), self.streams.is_empty()) {
            // Nobody says when the last of an answer is sent.
            (Some(cut), _) => cut.min(now + LINGER),
            (None, true) => self.idle_since + self.port.settings.idle_timeout,
            (None, false) => now + self.port.settings.idle_timeout,
        };
        due.min(ping)
    }

    /// Does what is due.
    fn look(&mut self, now: Instant) -> Result<(), String> {
        let settings = &self.port.settings;
        if self.cut_at().is_some_and(|at| at <= now) {
            return Err("it was given time to end, which is over".to_owned());
        }
        match self.ping {
            Ping::Due(at) if at <= now => {
                let sent = match &mut self.pings {
                    // Who has no open request is not asked, but idle.
                    Some(pings) if !self.streams.is_empty() => pings.send_ping(h2::Ping::opaque()).is_ok(),
                    _ => false,
                };
                self.sign.take();
                self.ping = match sent {
                    true => Ping::Awaited(now + settings.http2_ping_timeout),
                    false => Ping::Due(now + settings.http2_ping_interval),
                };
            }
            Ping::Awaited(at) if at <= now && self.sign.take() => {
                self.ping = Ping::Awaited(now + settings.http2_ping_timeout);
            }
            Ping::Awaited(at) if at <= now => return Err("the client gives no sign of life".to_owned()),
            Ping::Due(_) | Ping::Awaited(_) => {}
        }
        let idle = self.streams.is_empty() && self.idle_since + settings.idle_timeout <= now;
        if idle {
            self.leave();
        }
        Ok(())
    }
}
