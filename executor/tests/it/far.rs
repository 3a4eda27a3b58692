//! The far side of outbound connections: servers on loopback, ways out that reach them, and the program that
//! asks them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use wasmcloud_executor::egress::{AddressRules, Egress, Resolver, Roots, Settings, User};
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{PolicyMode, UrlPolicy};

use crate::app::within;
use crate::local::a_run;
use crate::wasm::fixture;

/// What a server does with a request.
pub enum Reply {
    /// Sends this and ends the connection.
    Send(Vec<u8>),
    /// Sends this, and then nothing more.
    Stall(Vec<u8>),
    /// Sends this, and then the same piece of a body until nobody reads it.
    Endless(Vec<u8>),
}

/// `200` with a body.
pub fn ok(body: &str) -> Reply {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
    Reply::Send(format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes())
}

/// A server that has one answer to each request.
pub struct Server {
    pub addr: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
    changed: Notify,
}

type Answer = dyn Fn(&str) -> Reply + Send + Sync;

impl Server {
    pub async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Server {
        Server::listen(None, "\r\n\r\n", Arc::new(answer)).await
    }

    pub async fn start_tls(
        tls: TlsAcceptor,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::listen(Some(tls), "\r\n\r\n", Arc::new(answer)).await
    }

    /// A Gemini server.
    pub async fn start_gemini(
        tls: TlsAcceptor,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Server {
        Server::listen(Some(tls), "\r\n", Arc::new(answer)).await
    }

    /// A Gemini server that takes this one's place, at the same port.
    pub async fn replaced(
        self,
        tls: TlsAcceptor,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Server {
        let addr = self.addr;
        self.task.abort();
        // The listener is gone when its task is.
        assert!(self.task.await.unwrap_err().is_cancelled());
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(addr).unwrap();
        Server::serve(socket.listen(64).unwrap(), Some(tls), "\r\n", Arc::new(answer))
    }

    async fn listen(tls: Option<TlsAcceptor>, head_ends: &'static str, answer: Arc<Answer>) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Server::serve(listener, tls, head_ends, answer)
    }

    fn serve(
        listener: TcpListener,
        tls: Option<TlsAcceptor>,
        head_ends: &'static str,
        answer: Arc<Answer>,
    ) -> Server {
        let (addr, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.accepted.fetch_add(1, Ordering::SeqCst);
                seen.open.fetch_add(1, Ordering::SeqCst);
                let (seen, answer, tls) = (seen.clone(), answer.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, head_ends, &seen, &*answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, head_ends, &seen, &*answer).await;
                            }
                        }
                    }
                    seen.open.fetch_sub(1, Ordering::SeqCst);
                    seen.changed.notify_waiters();
                });
            }
        });
        Server { addr, seen: shared, task }
    }

    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The requests that came, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// Waits until nobody is connected any more.
    pub async fn left_alone(&self) {
        within("nobody is connected", self.until(|seen| seen.open.load(Ordering::SeqCst) == 0)).await;
    }

    /// Waits until a request has come.
    pub async fn asked(&self) {
        within("a request comes", self.until(|seen| !seen.requests.lock().unwrap().is_empty())).await;
    }

    async fn until(&self, look: impl Fn(&Seen) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.seen.changed.notified());
            changed.as_mut().enable();
            if look(&self.seen) {
                return;
            }
            changed.await;
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    head_ends: &str,
    seen: &Seen,
    answer: &Answer,
) {
    let Some(request) = read_request(&mut stream, head_ends).await else { return };
    let reply = answer(&request);
    seen.requests.lock().unwrap().push(request);
    seen.changed.notify_waiters();
    match reply {
        Reply::Send(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Stall(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            // Until the other side goes.
            let _ = stream.read(&mut [0]).await;
        }
        Reply::Endless(head) => {
            let _ = stream.write_all(&head).await;
            while stream.write_all(&[b'x'; 16 << 10]).await.is_ok() {}
        }
    }
}

/// One request, head and body.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, head_ends: &str) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once(head_ends) {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A certificate for a name and for 127.0.0.1, until the end of 2039, and an acceptor that shows it.
pub fn certificate(name: &str) -> (CertificateDer<'static>, TlsAcceptor) {
    let mut params = CertificateParams::new(vec![name.to_owned(), "127.0.0.1".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2039, 12, 31);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(
        tokio_rustls::rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![certificate.clone()], key)
    .unwrap();
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

/// Settings that let programs reach this machine.
pub fn open() -> Settings {
    Settings {
        addresses: AddressRules { opened: vec!["127.0.0.0/8".parse().unwrap()], closed: Vec::new() },
        roots: Roots { platform: false, extra: Vec::new() },
        ..Settings::default()
    }
}

/// A resolver that asks a function, with how often it was asked before.
pub struct Says<F> {
    pub asked: AtomicUsize,
    pub answer: F,
}

#[async_trait]
impl<F: Fn(&str, usize) -> Vec<IpAddr> + Send + Sync> Resolver for Says<F> {
    async fn resolve(&self, name: &str, _: User) -> std::io::Result<Vec<IpAddr>> {
        let found = (self.answer)(name, self.asked.fetch_add(1, Ordering::SeqCst));
        match found.is_empty() {
            true => Err(std::io::Error::other("no such name")),
            false => Ok(found),
        }
    }
}

/// A way out that finds names by a function.
pub fn resolving(answer: impl Fn(&str, usize) -> Vec<IpAddr> + Send + Sync + 'static) -> Egress {
    Egress::with_resolver(open(), Arc::new(Says { asked: AtomicUsize::new(0), answer })).unwrap()
}

pub fn allowing(rules: &[&str]) -> UrlPolicy {
    UrlPolicy { allow: strings(rules), disallow: Vec::new(), mode: PolicyMode::Deny }
}

pub fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What the program `remote` is to do; see `examples/fixtures/remote.wat`.
pub fn script(steps: &[&str]) -> Bytes {
    let mut script = Vec::new();
    for step in steps {
        script.extend_from_slice(step.as_bytes());
        script.push(0);
    }
    script.into()
}

/// A run of the program `remote` that may open everything and reach this machine.
pub fn remote(steps: &[&str]) -> Run {
    Run { body: Some(script(steps)), urls: allowing(&[".*"]), egress: open(), ..a_run(&fixture("remote")) }
}

/// What the program `remote` printed, without its header.
pub fn printed(output: &str) -> &str {
    output.strip_prefix("Content-Type: text/plain\n\n").unwrap_or_else(|| panic!("{output:?}"))
}
