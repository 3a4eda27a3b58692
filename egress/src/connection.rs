//! Connections that the host itself speaks a protocol over: Gemini and WebSockets. No program holds one.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::dial::{before, tls_reason};
use crate::error::Step;
use crate::request::authority;
use crate::session::{Place, Traffic, Until};
use crate::{EgressError, Session, Target};

/// A connection. It holds one of the invocation's places until it is dropped, and brings at most as many
/// bytes as an answer may have; a read past that is an error that wraps [`EgressError::ResponseTooLarge`].
pub struct Connection<S> {
    stream: S,
    peer: SocketAddr,
    host: String,
    left: u64,
    max: u64,
    traffic: Arc<Traffic>,
    _place: Place,
}

impl Session {
    /// Connects for `ws://`, in the clear.
    ///
    /// # Errors
    /// [`EgressError`] says which rule, limit or fault stood in the way.
    pub async fn connect(&self, target: &Target) -> Result<Connection<TcpStream>, EgressError> {
        self.admit(target, "ws")?;
        let place = self.place().await?;
        let until = self.until_after(self.shared.limits.connect);
        let stream = self.dial(target, until).await?;
        self.connection(target, place, stream, |stream| stream)
    }

    /// Connects for `wss://` and `gemini://`, over TLS. Without settings of the caller's own (Gemini trusts
    /// on first use), the certificate must be one that this host trusts.
    ///
    /// # Errors
    /// [`EgressError`] says which rule, limit or fault stood in the way.
    pub async fn connect_tls(
        &self,
        target: &Target,
        own: Option<Arc<ClientConfig>>,
    ) -> Result<Connection<TlsStream<TcpStream>>, EgressError> {
        self.admit(target, "wss, gemini")?;
        let place = self.place().await?;
        let until = self.until_after(self.shared.limits.connect);
        let config = match own {
            Some(own) => own,
            None => Arc::new(self.shared.tls.for_session(&[])?),
        };
        let stream = self.dial(target, until).await?;
        let name = server_name(target)?;
        let handshake = async {
            let made = TlsConnector::from(config).connect(name, stream).await;
            made.map_err(|error| {
                let reason = tls_reason(&error).unwrap_or_else(|| error.to_string());
                EgressError::Tls { host: authority(target), reason }
            })
        };
        let stream = before(until.at, || until.late(Step::Connect), handshake).await?;
        self.connection(target, place, stream, |stream| stream.get_ref().0)
    }

    async fn dial(&self, target: &Target, until: Until) -> Result<TcpStream, EgressError> {
        let (Some(host), Some(port)) = (target.host(), target.port()) else {
            return Err(EgressError::Request(format!("{target} names no host")));
        };
        let dialed = self.dialer.connect(host, port, until.at);
        before(until.at, || until.late(Step::Connect), dialed).await
    }

    fn connection<S>(
        &self,
        target: &Target,
        place: Place,
        stream: S,
        tcp: impl Fn(&S) -> &TcpStream,
    ) -> Result<Connection<S>, EgressError> {
        let host = authority(target);
        let peer = tcp(&stream)
            .peer_addr()
            .map_err(|error| EgressError::Connect { host: host.clone(), reason: error.to_string() })?;
        let max = self.shared.limits.response_bytes_max;
        let traffic = Arc::clone(&self.traffic);
        Ok(Connection { stream, peer, host, left: max, max, traffic, _place: place })
    }
}

impl<S> Connection<S> {
    /// The address that is connected to: one that was checked.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The stream, for what TLS knows of the other side.
    pub fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = u64::try_from(buf.filled().len() - before).unwrap_or(u64::MAX);
        this.traffic.received.fetch_add(read, Ordering::Relaxed);
        match this.left.checked_sub(read) {
            Some(left) => {
                this.left = left;
                Poll::Ready(Ok(()))
            }
            None => {
                buf.set_filled(before);
                let error = EgressError::ResponseTooLarge { host: this.host.clone(), max: this.max };
                Poll::Ready(Err(io::Error::other(error)))
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.traffic.sent.fetch_add(u64::try_from(written).unwrap_or(u64::MAX), Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, EgressError> {
    let invalid = |reason: String| EgressError::Tls { host: authority(target), reason };
    match target.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::IpAddress(std::net::IpAddr::V4(*address).into())),
        Some(Host::Ipv6(address)) => Ok(ServerName::IpAddress(std::net::IpAddr::V6(*address).into())),
        Some(Host::Domain(name)) => {
            ServerName::try_from(name.clone()).map_err(|error| invalid(error.to_string()))
        }
        None => Err(invalid("the URL names no host".to_owned())),
    }
}
