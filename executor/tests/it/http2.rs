//! The edge over TLS and HTTP/2: the same programs, the same answers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use wasmcloud_executor::Edge;
use wasmcloud_listener::Tls;
use wasmcloud_wire::Outcome;

use crate::app::{DOMAIN, TestExecutor, within};
use crate::bodies::variables;
use crate::kinds::{KINDS, WASI_KINDS};
use crate::wasi::languages::guest;

/// An executor whose edge is served with a certificate that signs itself, as an operator's first one is.
struct Secure {
    app: TestExecutor,
    addr: SocketAddr,
    client: TlsConnector,
    _folder: TempDir,
    _shutdown: tokio_util::sync::DropGuard,
}

/// A client's connection.
struct Link {
    send: SendRequest<Bytes>,
    port: u16,
}

impl Secure {
    async fn start() -> Secure {
        let app = TestExecutor::start().await;
        let folder = TempDir::new().unwrap();
        let names = [DOMAIN.to_owned(), "127.0.0.1".to_owned()];
        let tls = Tls::self_signed(folder.path(), "edge", &names).unwrap();
        let pem = std::fs::read(tls.made_here().unwrap().certificate()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        let edge = Edge { domain: DOMAIN.to_owned(), by_path: true, trusted_proxies: Default::default() };
        tokio::spawn(app.executor.clone().serve_edge(edge, listener, Some(tls), shutdown.clone()));
        Secure { app, addr, client: connector(&pem), _folder: folder, _shutdown: shutdown.drop_guard() }
    }

    async fn link(&self) -> Link {
        let tcp = within("connect", TcpStream::connect(self.addr)).await.unwrap();
        let name = ServerName::try_from(DOMAIN).unwrap();
        let stream = within("TLS", self.client.connect(name, tcp)).await.unwrap();
        let (send, connection) = within("HTTP/2 begins", h2::client::handshake(stream)).await.unwrap();
        tokio::spawn(connection);
        Link { send, port: self.addr.port() }
    }
}

impl Link {
    /// Begins a request to a handler; its body is yet to come if `open`.
    async fn begin(
        &mut self,
        method: &str,
        handler: &str,
        target: &str,
        fields: &[(&str, &str)],
        open: bool,
    ) -> (ResponseFuture, SendStream<Bytes>) {
        let uri = format!("https://{handler}.{DOMAIN}:{}{target}", self.port);
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut ready = within("room for a request", self.send.clone().ready()).await.unwrap();
        ready.send_request(request.body(()).unwrap(), !open).unwrap()
    }
}

fn connector(pem: &[u8]) -> TlsConnector {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}

/// An answer with its body and its trailers.
async fn whole(response: ResponseFuture) -> (Response<()>, Vec<u8>, Option<HeaderMap>) {
    let (head, mut body) = within("an answer", response).await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = within("more of an answer", body.data()).await {
        let piece = piece.unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    let trailers = within("trailers", body.trailers()).await.unwrap();
    (Response::from_parts(head, ()), bytes, trailers)
}

#[tokio::test]
async fn a_program_sees_a_request_of_http_2_as_any_other() {
    let secure = Secure::start().await;
    for kind in WASI_KINDS {
        secure.app.deploy(kind.name(), &kind.shows_environment()).await;
        let mut link = secure.link().await;
        let fields = [("cookie", "a=1"), ("accept", "x"), ("cookie", "b=2")];
        let (response, _) = link.begin("GET", kind.name(), "/some/path?a=b", &fields, false).await;
        let (head, text, _) = whole(response).await;
        assert_eq!(head.status(), StatusCode::OK);
        assert!(head.headers().contains_key("wasmcloud-invocation"));
        let text = String::from_utf8(text).unwrap();
        let seen = variables(&text);
        let host = format!("{}.{DOMAIN}", kind.name());
        for (name, value) in [
            ("SERVER_PROTOCOL", "HTTP/2.0"),
            ("HTTPS", "on"),
            ("SERVER_NAME", host.as_str()),
            ("HTTP_HOST", &format!("{host}:{}", secure.addr.port())),
            ("SERVER_PORT", &secure.addr.port().to_string()),
            ("REQUEST_URI", "/some/path?a=b"),
            ("HTTP_ACCEPT", "x"),
            ("HTTP_COOKIE", "a=1; b=2"),
        ] {
            assert_eq!(seen.get(name).copied(), Some(value), "{kind:?}: {name} in {seen:?}");
        }
        assert!(!seen.contains_key("CONTENT_LENGTH"), "{kind:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_body_that_says_no_length_reaches_programs_of_every_kind() {
    let secure = Secure::start().await;
    let mut link = secure.link().await;
    for kind in KINDS {
        secure.app.deploy(kind.name(), &kind.echoes()).await;
        let (response, mut body) = link.begin("POST", kind.name(), "/", &[], true).await;
        body.send_data(Bytes::from_static(b"hello "), false).unwrap();
        body.send_data(Bytes::from_static(b"there"), true).unwrap();
        let (head, text, _) = whole(response).await;
        assert_eq!((head.status(), &text[..]), (StatusCode::OK, &b"hello there"[..]), "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_and_its_trailers_stream_through_a_program() {
    let secure = Secure::start().await;
    secure.app.deploy("hello", &guest("wasi-http-stream")).await;
    let mut link = secure.link().await;
    let fields = [("te", "trailers"), ("trailer", "x-sum")];
    let (response, mut body) = link.begin("POST", "hello", "/", &fields, true).await;
    body.send_data(Bytes::from_static(b"hello"), false).unwrap();
    let sum = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("42"))]);
    body.send_trailers(sum).unwrap();
    let (head, text, trailers) = whole(response).await;
    assert_eq!((head.status(), &text[..]), (StatusCode::OK, &b"hello"[..]));
    assert_eq!(trailers.unwrap()["x-sum"], "42");
}

#[tokio::test]
async fn a_request_that_is_given_up_cancels_its_run_and_no_other() {
    let secure = Secure::start().await;
    let mut link = secure.link().await;
    secure.app.deploy("sleeper", &crate::wasm::sleeps()).await;
    secure.app.deploy("hello", &crate::wasm::prints("A: b\n\nhello")).await;
    let (_response, mut stream) = link.begin("GET", "sleeper", "/", &[], false).await;
    secure.app.control.logged("begun", 1).await;
    stream.send_reset(Reason::CANCEL);
    let receipt = secure
        .app
        .control
        .until("the receipt is recorded", |state| {
            state.records.iter().find_map(|record| record.receipt.clone())
        })
        .await;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    let (response, _) = link.begin("GET", "hello", "/", &[], false).await;
    assert_eq!(whole(response).await.1, b"hello");
}
