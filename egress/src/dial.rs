//! From a host to a connection: the one place where names become addresses and addresses are connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use url::Host;

use crate::error::Step;
use crate::limits::ADDRESSES_MAX;
use crate::{AddressRefusal, AddressRules, EgressError, Resolver, User};

/// Finds addresses and checks them. What it returns is what is connected to; nothing is looked up twice.
#[derive(Clone)]
pub(crate) struct Dialer {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) addresses: Arc<AddressRules>,
    pub(crate) resolve_time: Duration,
    /// For whom.
    pub(crate) user: User,
}

impl Dialer {
    /// The addresses of a host that may be connected to: at least one.
    pub(crate) async fn addresses(&self, host: &Host<String>) -> Result<Vec<IpAddr>, EgressError> {
        match host {
            Host::Domain(name) => self.lookup(name).await,
            Host::Ipv4(address) => self.literal(IpAddr::V4(*address)),
            Host::Ipv6(address) => self.literal(IpAddr::V6(*address)),
        }
    }

    /// An address that the URL itself names.
    pub(crate) fn literal(&self, address: IpAddr) -> Result<Vec<IpAddr>, EgressError> {
        match self.addresses.check(address) {
            Ok(()) => Ok(vec![address]),
            Err(refusal) => Err(refused(&address.to_string(), refusal)),
        }
    }

    /// The addresses of a name: looked up once, the refused ones left out.
    async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, EgressError> {
        let failed = |reason: String| EgressError::Resolve { host: name.to_owned(), reason };
        let found = timeout(self.resolve_time, self.resolver.resolve(name, self.user)).await;
        let found = found
            .map_err(|_| EgressError::Timeout { what: Step::Resolve, limit: self.resolve_time })?
            .map_err(|error| failed(error.to_string()))?;
        let mut permitted = Vec::new();
        let mut refusal = None;
        for address in found.into_iter().take(ADDRESSES_MAX) {
            match self.addresses.check(address) {
                Ok(()) => permitted.push(address),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match refusal {
            _ if !permitted.is_empty() => Ok(permitted),
            Some(refusal) => Err(refused(name, refusal)),
            None => Err(failed("it has no address".to_owned())),
        }
    }

    /// Connects to the first of the host's permitted addresses that answers.
    pub(crate) async fn connect(
        &self,
        host: &Host<String>,
        port: u16,
        until: Instant,
    ) -> Result<TcpStream, EgressError> {
        let addresses = self.addresses(host).await?;
        let mut last = None;
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            // Each address gets an equal share of the time that is left, so that a dead one hides none.
            let share = until.saturating_duration_since(Instant::now()) / left.max(1);
            left -= 1;
            match timeout(share, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    // Failing to switch off Nagle's algorithm costs time, not correctness.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = Some(error.to_string()),
                Err(_) => last = Some(format!("{address} did not answer within {} ms", share.as_millis())),
            }
        }
        let reason = last.unwrap_or_default();
        Err(EgressError::Connect { host: format!("{host}:{port}"), reason })
    }
}

/// The same for reqwest, which asks for names only: an address in a URL is checked before it is told.
impl Resolve for Dialer {
    fn resolve(&self, name: Name) -> Resolving {
        let dialer = self.clone();
        Box::pin(async move {
            let found = dialer.lookup(name.as_str()).await?;
            // Port 0 stands for the URL's own.
            let addresses: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

fn refused(host: &str, refusal: AddressRefusal) -> EgressError {
    EgressError::Address {
        host: host.to_owned(),
        address: refusal.address,
        range: refusal.range,
        kind: refusal.kind,
    }
}

/// Runs a step until a point in time.
pub(crate) async fn before<T>(
    until: Instant,
    late: impl FnOnce() -> EgressError,
    step: impl Future<Output = Result<T, EgressError>>,
) -> Result<T, EgressError> {
    timeout_at(until, step).await.unwrap_or_else(|_| Err(late()))
}

/// What a failed TLS handshake says, if that is what failed. The error may be wrapped several times.
pub(crate) fn tls_reason(error: &io::Error) -> Option<String> {
    let inner = error.get_ref()?;
    let handshake = inner.downcast_ref::<rustls::Error>().map(ToString::to_string);
    handshake.or_else(|| tls_reason(inner.downcast_ref::<io::Error>()?))
}
