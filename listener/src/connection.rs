//! One connection, from its handshake to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::guard::Guard;
use crate::request::refuse;
use crate::response::Tracked;
use crate::socket::{Socket, Stream};
use crate::{Body, Peer, ResponseBody, Settings, Tls, http2};

/// Smallest bound of hyper's buffers, for bodies either way; a larger header block makes it larger.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Fields for which hyper makes room on the stack when it is not told a number.
const FIELDS_ON_STACK: usize = 100;

/// What all connections of a port share.
pub(crate) struct Port {
    http: http1::Builder,
    tls: Option<TlsAcceptor>,
    pub(crate) settings: Arc<Settings>,
    local: Option<SocketAddr>,
    pub(crate) drain: Drain,
}

impl Port {
    pub(crate) fn new(tls: Option<&Tls>, settings: Settings, local: Option<SocketAddr>) -> Port {
        let mut http = http1::Builder::new();
        http.header_read_timeout(None)
            .max_header_size(settings.header_bytes_max)
            .max_buf_size(settings.header_bytes_max.max(BUFFER_BYTES_MAX));
        if settings.header_fields_max != FIELDS_ON_STACK {
            http.max_headers(settings.header_fields_max);
        }
        Port {
            http,
            tls: tls.map(|tls| tls.acceptor(settings.http2)),
            settings: Arc::new(settings),
            local,
            drain: Drain::default(),
        }
    }

    /// Runs a connection to its end.
    pub(crate) async fn run<F, Fut>(self: Arc<Self>, tcp: TcpStream, addr: SocketAddr, service: F)
    where
        F: Fn(Request<Body>, Peer) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Response<ResponseBody>> + Send + 'static,
    {
        let local = tcp.local_addr().ok().or(self.local).unwrap_or(addr);
        let peer = Peer { addr, tls: self.tls.is_some(), local };
        match self.open(tcp).await {
            Ok(stream) if stream.speaks_http2() => http2::speak(&self, stream, peer, service).await,
            Ok(stream) => self.speak(stream, peer, service).await,
            Err(error) => tracing::debug!(peer = %addr, %error, "TLS handshake failed"),
        }
    }

    /// Makes a stream of a TCP connection, with TLS where the port has it.
    async fn open(&self, tcp: TcpStream) -> io::Result<Stream> {
        // A response is written whole; waiting for more to send only delays it.
        tcp.set_nodelay(true)?;
        let socket = Socket::new(tcp, self.settings.write_timeout);
        let Some(acceptor) = &self.tls else { return Ok(Stream::Plain(socket)) };
        let handshake = timeout(self.settings.header_timeout, acceptor.accept(socket));
        Ok(Stream::Tls(Box::new(handshake.await.map_err(|_| io::ErrorKind::TimedOut)??)))
    }

    async fn speak<F, Fut>(&self, stream: Stream, peer: Peer, service: F)
    where
        F: Fn(Request<Body>, Peer) -> Fut + Send,
        Fut: Future<Output = Response<ResponseBody>> + Send,
    {
        let status = Arc::new(Status::default());
        let guard = Guard::new(stream, Arc::clone(&status), Arc::clone(&self.settings));
        let target_bytes_max = self.settings.target_bytes_max;
        let respond = service_fn(|request: Request<Incoming>| {
            status.request_began(request.version());
            let status = Arc::clone(&status);
            // The service is called at once, so that its future need not hold the closure.
            let answer = match refuse(&request, target_bytes_max) {
                Some(refusal) => Err(refusal),
                None => {
                    let client = self.settings.trusted_proxies.client(peer, request.headers());
                    Ok(service(request.map(Body::from), client))
                }
            };
            async move {
                let response = match answer {
                    Ok(response) => response.await,
                    Err(refusal) => refusal,
                };
                Ok::<_, Infallible>(response.map(|body| Tracked::new(body, status)))
            }
        });

        let mut connection = pin!(self.http.serve_connection(TokioIo::new(guard), respond));
        let mut drain_begins = pin!(self.drain.begins.notified());
        let (mut listening, mut draining) = (false, false);
        let ended = poll_fn(|cx| {
            // Registered once: this task's waker never changes, and a second look would take a lock
            // that all connections share.
            if !listening {
                listening = true;
                let _ = drain_begins.as_mut().poll(cx);
            }
            if !draining && self.drain.has_begun() {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            connection.as_mut().poll(cx)
        });
        if let Err(error) = ended.await {
            tracing::debug!(peer = %peer.addr, error = &error as &dyn std::error::Error, "connection ended early");
        }
    }
}

/// The word that a port's connections should end.
#[derive(Default)]
pub(crate) struct Drain {
    begun: AtomicBool,
    begins: Notify,
}

impl Drain {
    pub(crate) fn begin(&self) {
        // In this order: who registers too late to be woken sees the flag.
        self.begun.store(true, SeqCst);
        self.begins.notify_waiters();
    }

    /// Waits until it begins.
    pub(crate) async fn begun(&self) {
        let mut begins = pin!(self.begins.notified());
        begins.as_mut().enable();
        if !self.has_begun() {
            begins.await;
        }
    }

    fn has_begun(&self) -> bool {
        self.begun.load(SeqCst)
    }
}

/// What a connection's stream has to know about its responses. Only the connection's own task
/// touches it, so nothing needs to be ordered.
#[derive(Debug, Default)]
pub(crate) struct Status {
    busy: AtomicBool,
    failed: AtomicBool,
    http_10: AtomicBool,
}

impl Status {
    fn request_began(&self, version: Version) {
        self.busy.store(true, Relaxed);
        self.http_10.store(version == Version::HTTP_10, Relaxed);
    }

    /// The response is complete, or was given up.
    pub(crate) fn response_ended(&self) {
        self.busy.store(false, Relaxed);
    }

    /// The response's body failed.
    pub(crate) fn response_failed(&self) {
        self.failed.store(true, Relaxed);
    }

    /// Whether a response is being made.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Relaxed)
    }

    /// Whether an orderly end of the connection would make a cut response look whole: HTTP/1.0 has
    /// no chunks.
    pub(crate) fn ends_unclean(&self) -> bool {
        self.http_10.load(Relaxed) && (self.failed.load(Relaxed) || self.is_busy())
    }
}
