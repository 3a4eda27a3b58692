//! A server that counts who comes, and a resolver that says what a test wants.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use wasmcloud_egress::{
    AddressRules, Egress, EgressError, OutboundLimits, Outgoing, Policy, Redirects, Resolver, Roots, Session,
    Settings, Target, User,
};

/// What a server does with a request.
pub enum Reply {
    /// Sends these bytes and waits for the next request.
    Send(Vec<u8>),
    /// Sends a header, and then a body until nobody reads it.
    Endless,
    /// Sends a header that promises a body, and then nothing.
    Stall,
    /// Says nothing at all.
    Silence,
}

/// `200` with a body.
pub fn ok(body: &str) -> Reply {
    Reply::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

/// A redirect.
pub fn redirect(status: u16, location: &str) -> Reply {
    let head = format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    Reply::Send(head.into_bytes())
}

type Answer = dyn Fn(&str) -> Reply + Send + Sync;

/// A server on loopback.
pub struct Server {
    pub addr: SocketAddr,
    seen: Arc<Seen>,
}

struct Seen {
    /// A request is answered when it gets a permit.
    gate: Semaphore,
    accepted: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    requests: Mutex<Vec<String>>,
}

impl Server {
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen(None, Semaphore::MAX_PERMITS, Arc::new(answer)).await
    }

    /// A server that answers nobody until [`Server::open`].
    pub async fn start_closed(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen(None, 0, Arc::new(answer)).await
    }

    /// Answers as many requests.
    pub fn open(&self, requests: usize) {
        self.seen.gate.add_permits(requests);
    }

    pub async fn start_tls(
        tls: TlsAcceptor,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::listen(Some(tls), Semaphore::MAX_PERMITS, Arc::new(answer)).await
    }

    async fn listen(tls: Option<TlsAcceptor>, permits: usize, answer: Arc<Answer>) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Seen {
            gate: Semaphore::new(permits),
            accepted: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            requests: Mutex::default(),
        });
        let server = Server { addr, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.accepted.fetch_add(1, Ordering::SeqCst);
                let (seen, answer, tls) = (Arc::clone(&seen), Arc::clone(&answer), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &seen, &*answer).await,
                        Some(tls) => serve(tls.accept(stream).await?, &seen, &*answer).await,
                    }
                });
            }
        });
        server
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// A URL of this server by its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// A URL of this server by a name.
    pub fn named(&self, name: &str, path: &str) -> String {
        format!("http://{name}:{}{path}", self.port())
    }

    /// The requests that came, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// Connections that came.
    pub fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// The most requests that were answered at the same time.
    pub fn most_under_way(&self) -> usize {
        self.seen.most_under_way.load(Ordering::SeqCst)
    }

    /// Fails if anybody came. A connection of the test's own follows any that came before it.
    pub async fn assert_nobody_came(&self) {
        let mut own = TcpStream::connect(self.addr).await.unwrap();
        own.write_all(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").await.unwrap();
        own.read_u8().await.unwrap();
        assert_eq!(self.accepted(), 1, "only the test's own connection");
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: &Seen,
    answer: &Answer,
) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        seen.requests.lock().unwrap().push(request.clone());
        let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_under_way.fetch_max(now, Ordering::SeqCst);
        seen.gate.acquire().await.map_err(io::Error::other)?.forget();
        let reply = answer(&request);
        seen.under_way.fetch_sub(1, Ordering::SeqCst);
        match reply {
            Reply::Send(bytes) => stream.write_all(&bytes).await?,
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 4096]).await?;
                }
            }
            Reply::Stall => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").await?,
            Reply::Silence => {}
        }
    }
    Ok(())
}

/// One request, head and body; `None` at the end of the connection.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<String>> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(Some(text));
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(None);
        }
    }
}

/// A resolver that asks a function, with how often it was asked before.
pub struct Says<F> {
    pub asked: AtomicUsize,
    answer: F,
}

#[async_trait]
impl<F: Fn(&str, usize) -> Option<Vec<IpAddr>> + Send + Sync> Resolver for Says<F> {
    async fn resolve(&self, name: &str, _: User) -> io::Result<Vec<IpAddr>> {
        let before = self.asked.fetch_add(1, Ordering::SeqCst);
        (self.answer)(name, before).ok_or_else(|| io::Error::other("no such name"))
    }
}

pub fn says<F: Fn(&str, usize) -> Option<Vec<IpAddr>> + Send + Sync>(answer: F) -> Arc<Says<F>> {
    Arc::new(Says { asked: AtomicUsize::new(0), answer })
}

/// A resolver for which every name is at 127.0.0.1.
pub fn loopback() -> Arc<dyn Resolver> {
    says(|_, _| Some(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]))
}

/// Settings that open 127.0.0.1, and no other address.
pub fn settings() -> Settings {
    Settings {
        addresses: AddressRules { opened: vec!["127.0.0.1/32".parse().unwrap()], closed: vec![] },
        roots: Roots { platform: false, extra: vec![] },
        ..Settings::default()
    }
}

/// A session with these limits that may open everything.
pub fn session(limits: OutboundLimits) -> Session {
    session_of(Settings { limits, ..settings() }, loopback())
}

/// A session with these settings that may open everything.
pub fn session_of(settings: Settings, resolver: Arc<dyn Resolver>) -> Session {
    let egress = Egress::with_resolver(settings, resolver).unwrap();
    egress.session(Arc::new(Policy::allow_all().unwrap()))
}

pub fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

/// The body of what a URL answers.
pub async fn fetch(session: &Session, url: &str) -> Result<String, EgressError> {
    let request = Outgoing {
        target: Target::parse(url)?,
        method: Method::GET,
        fields: HeaderMap::new(),
        body: Bytes::new(),
    };
    let answer = session.send(request, Redirects::Follow).await?;
    Ok(String::from_utf8_lossy(&answer.into_body().collect().await?).into_owned())
}

pub fn target(url: &str) -> Target {
    Target::parse(url).unwrap()
}
