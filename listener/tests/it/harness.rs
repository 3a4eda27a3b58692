//! A port with a small service behind it, and a client that speaks bytes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::{Body, BodyError, CollectError, Peer, ResponseBody, Settings, Tls, bind, serve};

/// Long enough for anything that should happen, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// A timeout that a test wants to see at work.
pub const SHORT: Duration = Duration::from_millis(100);
/// Pieces of the answer to `/large`.
const LARGE_PIECES: usize = 4 << 10;
const PIECE: &[u8] = &[b'x'; 1000];
/// Bytes of the answer to `/large`.
pub const LARGE_BYTES: usize = LARGE_PIECES * PIECE.len();
/// Most bytes of a body that the service takes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

pub const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// No timeout that a test could meet by accident.
pub fn patient() -> Settings {
    Settings {
        header_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        body_timeout: PATIENCE,
        write_timeout: PATIENCE,
        drain: PATIENCE,
        ..Settings::default()
    }
}

pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("did not happen in time: {what}"))
}

pub struct Port {
    pub addr: SocketAddr,
    pub shutdown: CancellationToken,
    pub service: Arc<Service>,
    pub events: mpsc::UnboundedReceiver<&'static str>,
    task: JoinHandle<()>,
}

/// What the service does is chosen by the path.
pub struct Service {
    /// Lets a request to `/wait` go on.
    pub gate: Notify,
    events: mpsc::UnboundedSender<&'static str>,
}

impl Port {
    pub async fn start(settings: Settings) -> Port {
        Port::start_with(settings, None).await
    }

    pub async fn start_with(settings: Settings, tls: Option<Tls>) -> Port {
        let listener = bind("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let (sender, events) = mpsc::unbounded_channel();
        let service = Arc::new(Service { gate: Notify::new(), events: sender });
        let (addr, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let shared = Arc::clone(&service);
        let answer = move |request, peer| answer(Arc::clone(&shared), request, peer);
        let task = tokio::spawn(serve(listener, tls, settings, shutdown.clone(), answer));
        Port { addr, shutdown, service, events, task }
    }

    pub async fn client(&self) -> Client<TcpStream> {
        Client { stream: within("connect", TcpStream::connect(self.addr)).await.unwrap(), seen: Vec::new() }
    }

    /// Waits for something that the service tells.
    pub async fn event(&mut self, what: &'static str) {
        assert_eq!(within(what, self.events.recv()).await, Some(what));
    }

    /// Waits until `serve` returns.
    pub async fn ended(self) {
        within("serve returns", self.task).await.unwrap();
    }
}

async fn answer(service: Arc<Service>, request: Request<Body>, peer: Peer) -> Response<ResponseBody> {
    match request.uri().path() {
        "/peer" => text(format!("{} {} {}", peer.addr, peer.tls, peer.local)),
        "/echo" => match request.into_body().collect(BODY_BYTES_MAX).await {
            Ok(bytes) => Response::new(bytes.into()),
            Err(error) => refused(error),
        },
        "/mirror" => Response::new(ResponseBody::stream(request.into_body())),
        "/fields" => text(format!("{:?} {:?}", request.uri(), request.headers())),
        "/ignore" => refused(CollectError::TooLarge { max: 0 }),
        "/wait" => {
            let _gone = Gone(&service, "gone");
            let _ = service.events.send("waiting");
            service.gate.notified().await;
            text("waited\n".into())
        }
        "/panic" => panic!("the service fell over"),
        "/fail" => Response::new(ResponseBody::stream(Parts { left: 1, fails: true, service })),
        "/three" => Response::new(ResponseBody::stream(Parts { left: 3, fails: false, service })),
        "/large" => Response::new(ResponseBody::stream(Parts { left: LARGE_PIECES, fails: false, service })),
        "/endless" => Response::new(ResponseBody::stream(Parts { left: usize::MAX, fails: false, service })),
        path => text(format!("path {path}\n")),
    }
}

fn text(text: String) -> Response<ResponseBody> {
    Response::new(text.into())
}

fn refused(error: CollectError) -> Response<ResponseBody> {
    let mut response = text(format!("{error}\n"));
    *response.status_mut() = match error {
        CollectError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        CollectError::Body(BodyError::TimedOut | BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
        CollectError::Body(_) => StatusCode::BAD_REQUEST,
    };
    response
}

/// Tells when it is dropped.
struct Gone<'a>(&'a Service, &'static str);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        let _ = self.0.events.send(self.1);
    }
}

/// A body in parts, which may fail after the last.
struct Parts {
    left: usize,
    fails: bool,
    service: Arc<Service>,
}

impl HttpBody for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.left {
            0 if self.fails => Poll::Ready(Some(Err(io::Error::other("the program fell over")))),
            0 => Poll::Ready(None),
            left => {
                self.left = left - 1;
                Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(PIECE)))))
            }
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let _ = self.service.events.send("body gone");
    }
}

pub struct Client<S> {
    pub stream: S,
    seen: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Client<S> {
        Client { stream, seen: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("send", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// One response with a `Content-Length`: its head and its body.
    pub async fn answer(&mut self) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(head) = text.find("\r\n\r\n").map(|at| at + 4) {
                let length: usize = field(&text[..head], "content-length").unwrap_or("0").parse().unwrap();
                if self.seen.len() >= head + length {
                    let rest = self.seen.split_off(head + length);
                    return String::from_utf8(std::mem::replace(&mut self.seen, rest)).unwrap();
                }
            }
            let read = within("an answer", self.stream.read_buf(&mut self.seen)).await.unwrap();
            assert!(read > 0, "the connection ended after {text:?}");
        }
    }

    /// Everything until the connection ends in an orderly way.
    pub async fn rest(&mut self) -> String {
        self.end().await.unwrap()
    }

    /// Everything until the connection ends, or how it failed.
    pub async fn end(&mut self) -> io::Result<String> {
        within("the end of the connection", self.stream.read_to_end(&mut self.seen)).await?;
        Ok(String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned())
    }

    /// Sends a byte every now and then until the connection ends; everything that came back.
    pub async fn drip(&mut self, byte: u8, every: Duration) -> String {
        let begun = tokio::time::Instant::now();
        let mut buffer = [0; 1024];
        while begun.elapsed() < PATIENCE {
            // A server that closes while we write answers with a reset; what it said came before.
            let _ = self.stream.write_all(&[byte]).await;
            match timeout(every, self.stream.read(&mut buffer)).await {
                Err(_) => {}
                Ok(Ok(0)) | Ok(Err(_)) => return String::from_utf8_lossy(&self.seen).into_owned(),
                Ok(Ok(read)) => self.seen.extend_from_slice(&buffer[..read]),
            }
        }
        panic!("the connection never ended");
    }

    /// Nothing comes, not even an end.
    pub async fn is_quiet_for(&mut self, time: Duration) {
        let read = timeout(time, self.stream.read_buf(&mut self.seen)).await;
        assert!(read.is_err(), "expected silence, got {read:?}");
    }
}

/// The value of a header field.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

#[track_caller]
pub fn assert_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "expected {status}, got {answer:?}");
}
