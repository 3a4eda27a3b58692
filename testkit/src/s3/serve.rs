//! The port and its connections.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use s3s::service::S3Service;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::faults::{Fault, Faults};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

/// From now on it fails so, or works.
pub struct Command {
    pub fault: Option<Fault>,
    /// Told once it does.
    pub done: mpsc::Sender<()>,
}

/// A port that stays ours while nobody listens on it.
pub struct Port(TcpSocket);

impl Port {
    pub fn reserve() -> Port {
        let port = Port(Port::socket());
        port.0.bind(([127, 0, 0, 1], 0).into()).unwrap();
        port
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub fn listen(&self) -> TcpListener {
        let socket = Port::socket();
        socket.bind(self.address()).unwrap();
        socket.listen(BACKLOG).unwrap()
    }

    fn socket() -> TcpSocket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket
    }
}

/// A certificate for localhost: as PEM, and for the port.
pub fn certificate() -> (String, TlsAcceptor) {
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// Serves until there can be no more commands.
pub async fn run(
    port: &Port,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    s3: S3Service,
    faults: Arc<Faults>,
    mut commands: UnboundedReceiver<Command>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            command = commands.recv() => {
                let Some(Command { fault, done }) = command else { return };
                // Dropping them cuts what is open.
                connections.shutdown().await;
                faults.set(fault);
                listener = match (fault, listener.take()) {
                    (Some(Fault::Down), _) => None,
                    (_, Some(listener)) => Some(listener),
                    (_, None) => Some(port.listen()),
                };
                let _ = done.send(());
            }
            accepted = accepted => {
                let Ok((stream, _)) = accepted else { continue };
                let (s3, faults, tls) = (s3.clone(), Arc::clone(&faults), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => connection(stream, s3, faults).await,
                        Some(tls) => if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, s3, faults).await;
                        }
                    }
                });
            }
            _ = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, s3: S3Service, faults: Arc<Faults>) {
    let service = service_fn(move |request| {
        let (s3, faults) = (s3.clone(), Arc::clone(&faults));
        async move { faults.answer(&s3, request).await }
    });
    // A client that goes away is no failure of the test.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
