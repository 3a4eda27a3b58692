//! The accept loop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::connection::Port;
use crate::{Body, Peer, ResponseBody, Settings, Tls};

/// How long no connection is accepted after the system had nothing to accept it with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Least time between two warnings that connections cannot be accepted.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves a port until `shutdown` is cancelled and all of its connections are gone.
///
/// `service` is called for every request; its response's status and fields are sent as they are,
/// with `Date` added. It runs within the connection's task and is dropped when the client goes away
/// before the response is complete, as long as the request's body was read or dropped; a client that
/// ends its own sending counts as gone. A panic in it costs that connection alone. Over HTTP/2 it
/// runs in a task of its own, is dropped when its stream is reset or its connection ends, and a panic
/// costs that stream alone.
///
/// While a port with TLS is served, changed certificate files are taken as [`Tls::from_files`] says.
///
/// After the shutdown began, no connection is accepted, idle ones are closed, requests in flight go
/// on for at most [`Settings::drain`], and what is left then is cut.
pub async fn serve<F, Fut>(
    listener: TcpListener,
    tls: Option<Tls>,
    settings: Settings,
    shutdown: CancellationToken,
    service: F,
) where
    F: Fn(Request<Body>, Peer) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    accept_all(listener, tls, settings, shutdown, service).await;
}

/// Where connections come from; tests have one that fails.
trait Accept: Send {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
    fn local(&self) -> Option<SocketAddr>;
}

impl Accept for TcpListener {
    fn accept(&mut self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }

    fn local(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }
}

async fn accept_all<A, F, Fut>(
    mut listener: A,
    tls: Option<Tls>,
    settings: Settings,
    shutdown: CancellationToken,
    service: F,
) where
    A: Accept,
    F: Fn(Request<Body>, Peer) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    let (connections_max, drain) = (settings.connections_max, settings.drain);
    let port = Arc::new(Port::new(tls.as_ref(), settings, listener.local()));
    let mut connections = JoinSet::new();
    let mut warned = None;
    let watched = async {
        match &tls {
            Some(tls) => tls.watch(port.settings.certificate_interval).await,
            None => std::future::pending().await,
        }
    };
    let mut watched = pin!(watched);
    loop {
        let (some, full) = (!connections.is_empty(), connections.len() >= connections_max);
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if some => report(ended),
            () = &mut watched => {}
            accepted = listener.accept(), if !full => match accepted {
                Ok((tcp, addr)) => {
                    connections.spawn(Arc::clone(&port).run(tcp, addr, service.clone()));
                }
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    warn(&mut warned, &error);
                    tokio::select! {
                        () = shutdown.cancelled() => break,
                        () = sleep(ACCEPT_PAUSE) => {}
                    }
                }
            },
        }
    }
    drop(listener);
    port.drain.begin();
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if timeout(drain, all_ended).await.is_err() {
        let (left, drain_ms) = (connections.len(), drain.as_millis());
        tracing::warn!(
            connections = left,
            drain_ms,
            "requests did not end in time, their connections are cut"
        );
        connections.shutdown().await;
    }
}

/// Whether a connection was gone before it was accepted, which says nothing about the next one.
fn is_of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Says that connections cannot be accepted, once in a while.
fn warn(warned: &mut Option<Instant>, error: &io::Error) {
    if warned.is_none_or(|at: Instant| at.elapsed() >= ACCEPT_WARNING_INTERVAL) {
        *warned = Some(Instant::now());
        tracing::warn!(%error, "cannot accept connections: raise the limit of open files (ulimit -n) if that is it");
    }
}

/// Says that a service panicked.
pub(crate) fn report<T>(ended: Result<T, JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a request's service panicked, its connection or its stream was cut");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A listener whose first tries fail.
    struct Failing(Vec<io::Error>, TcpListener);

    impl Accept for Failing {
        async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
            match self.0.pop() {
                Some(error) => Err(error),
                None => self.1.accept().await,
            }
        }

        fn local(&self) -> Option<SocketAddr> {
            None
        }
    }

    #[tokio::test]
    async fn failing_to_accept_never_ends_the_loop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let no_more_files = || io::Error::from_raw_os_error(24);
        let errors = vec![no_more_files(), io::ErrorKind::ConnectionAborted.into(), no_more_files()];
        let shutdown = CancellationToken::new();
        let service = async |_: Request<Body>, _: Peer| Response::new(ResponseBody::from("here"));
        let service = move |request, peer| service(request, peer);
        let port =
            accept_all(Failing(errors, listener), None, Settings::default(), shutdown.clone(), service);
        let port = tokio::spawn(port);

        let mut client = TcpStream::connect(addr).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nhere"), "{answer}");
        shutdown.cancel();
        port.await.unwrap();
    }
}
