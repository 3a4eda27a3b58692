//! One invocation's way out: its policy, its budget, its connections.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::{HeaderMap, HeaderValue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use url::Host;

use crate::dial::Dialer;
use crate::error::Step;
use crate::limits::{IDLE_PER_HOST_MAX, IDLE_TIME, RESPONSE_FIELDS_MAX};
use crate::tls::Tls;
use crate::{
    AddressRules, EgressError, OutboundLimits, Policy, PortRules, Resolver, Roots, SystemResolver, Target,
};

/// How outbound connections are made, for everybody.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which addresses may be connected to.
    pub addresses: AddressRules,
    /// Which ports may be connected to.
    pub ports: PortRules,
    /// What one invocation may use.
    pub limits: OutboundLimits,
    /// Whose certificates are believed.
    pub roots: Roots,
    /// The `User-Agent` of requests that name none.
    pub user_agent: HeaderValue,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            addresses: AddressRules::default(),
            ports: PortRules::default(),
            limits: OutboundLimits::default(),
            roots: Roots::default(),
            user_agent: HeaderValue::from_static("wasmcloud"),
        }
    }
}

/// Makes every outbound connection of a process. A clone is the same value.
#[derive(Clone)]
pub struct Egress {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    dialer: Dialer,
    pub(crate) ports: PortRules,
    pub(crate) limits: OutboundLimits,
    pub(crate) tls: Tls,
    pub(crate) user_agent: HeaderValue,
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { dialer, ports, limits, .. } = &*self.shared;
        let mut shown = f.debug_struct("Egress");
        shown.field("addresses", &dialer.addresses).field("ports", ports).field("limits", limits);
        shown.finish_non_exhaustive()
    }
}

impl Egress {
    /// With the system's resolver.
    ///
    /// # Errors
    /// [`EgressError::Setup`] if an extra root certificate is unusable.
    pub fn new(settings: Settings) -> Result<Egress, EgressError> {
        Egress::with_resolver(settings, Arc::new(SystemResolver::default()))
    }

    /// With another resolver.
    ///
    /// # Errors
    /// [`EgressError::Setup`] if an extra root certificate is unusable.
    pub fn with_resolver(settings: Settings, resolver: Arc<dyn Resolver>) -> Result<Egress, EgressError> {
        let Settings { addresses, ports, limits, roots, user_agent } = settings;
        let dialer = Dialer {
            resolver,
            addresses: Arc::new(addresses),
            resolve_time: limits.resolve,
            user: User::default(),
        };
        let tls = Tls::new(roots)?;
        Ok(Egress { shared: Arc::new(Shared { dialer, ports, limits, tls, user_agent }) })
    }

    /// The way out of one invocation. What it opened is closed when it is dropped: connections are reused
    /// within one invocation and never by another one, be it of the same handler.
    pub fn session(&self, policy: Arc<Policy>) -> Session {
        let at_once = usize::try_from(self.shared.limits.at_once_max).unwrap_or(usize::MAX);
        Session {
            shared: Arc::clone(&self.shared),
            dialer: self.shared.dialer.clone(),
            policy,
            deadline: None,
            stamps: HeaderMap::new(),
            waits: true,
            client: OnceLock::new(),
            places: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
            requests: AtomicU32::new(0),
            traffic: Arc::default(),
            urls: Mutex::default(),
        }
    }
}

/// Whose invocation it is, as a number that means nothing here. What all invocations of a process share is
/// shared fairly among users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct User(pub u128);

/// One invocation's way out.
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) dialer: Dialer,
    policy: Arc<Policy>,
    deadline: Option<Instant>,
    stamps: HeaderMap,
    waits: bool,
    client: OnceLock<reqwest::Client>,
    places: Arc<Semaphore>,
    requests: AtomicU32,
    pub(crate) traffic: Arc<Traffic>,
    urls: Mutex<Vec<String>>,
}

/// Bytes of bodies and connections, as they go.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

/// What an invocation used of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests and connections, each step of a redirect counted.
    pub requests: u32,
    /// Bytes of requests' bodies, and written to connections.
    pub bytes_sent: u64,
    /// Bytes of answers' bodies, and read from connections.
    pub bytes_received: u64,
    /// The URLs, in order, without repetition.
    pub urls: Vec<String>,
}

/// A place among the connections of an invocation.
pub(crate) type Place = OwnedSemaphorePermit;

/// When something must be done, and whose limit that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) at: Instant,
    limit: Option<Duration>,
}

impl Until {
    /// The error for what was not done in time.
    pub(crate) fn late(self, what: Step) -> EgressError {
        match self.limit {
            Some(limit) => EgressError::Timeout { what, limit },
            None => EgressError::Deadline(what),
        }
    }
}

impl Session {
    /// The end of the invocation: nothing outbound lasts longer.
    #[must_use]
    pub fn until(mut self, deadline: std::time::Instant) -> Session {
        self.deadline = Some(deadline.into());
        self
    }

    /// Whose invocation it is; else it is the user's with the number 0.
    #[must_use]
    pub fn of_user(mut self, user: User) -> Session {
        self.dialer.user = user;
        self
    }

    /// Header fields that the host sets in every request, whatever the program says.
    #[must_use]
    pub fn stamped(mut self, fields: HeaderMap) -> Session {
        self.stamps = fields;
        self
    }

    /// For a program that does one thing at a time: while it waited for a place, nobody could free one, so
    /// it is refused at once.
    #[must_use]
    pub fn without_waiting(mut self) -> Session {
        self.waits = false;
        self
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            requests: self.requests.load(Ordering::Relaxed),
            bytes_sent: self.traffic.sent.load(Ordering::Relaxed),
            bytes_received: self.traffic.received.load(Ordering::Relaxed),
            urls: self.urls.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Checks all that can be known before anything is looked up, and counts the request.
    pub(crate) fn admit(&self, target: &Target, schemes: &'static str) -> Result<(), EgressError> {
        let (Some(host), Some(port)) = (target.host(), target.port()) else {
            return Err(unspoken(target, schemes));
        };
        if !schemes.split(", ").any(|scheme| scheme == target.scheme()) {
            return Err(unspoken(target, schemes));
        }
        self.policy.check(target)?;
        if !self.shared.ports.permit(port) {
            return Err(EgressError::Port { host: host.to_string(), port });
        }
        match host {
            Host::Domain(_) => {}
            Host::Ipv4(address) => drop(self.dialer.literal(IpAddr::V4(*address))?),
            Host::Ipv6(address) => drop(self.dialer.literal(IpAddr::V6(*address))?),
        }
        self.count(target)
    }

    fn count(&self, target: &Target) -> Result<(), EgressError> {
        let max = self.shared.limits.requests_max;
        let next = |count: u32| (count < max).then_some(count + 1);
        if self.requests.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_err() {
            return Err(EgressError::TooManyRequests { max });
        }
        // Bounded by `requests_max`.
        let mut urls = self.urls.lock().unwrap_or_else(PoisonError::into_inner);
        if !urls.iter().any(|url| url == target.as_str()) {
            urls.push(target.to_string());
        }
        Ok(())
    }

    /// Waits for a place among the connections, as long as connecting may take.
    pub(crate) async fn place(&self) -> Result<Place, EgressError> {
        if !self.waits {
            let place = Arc::clone(&self.places).try_acquire_owned();
            return place.map_err(|_| EgressError::TooManyAtOnce { max: self.shared.limits.at_once_max });
        }
        let until = self.until_after(self.shared.limits.connect);
        match timeout_at(until.at, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(EgressError::TooManyAtOnce { max: self.shared.limits.at_once_max }),
        }
    }

    /// The end of a step that begins now.
    pub(crate) fn until_after(&self, limit: Duration) -> Until {
        let own = Instant::now() + limit;
        match self.deadline {
            Some(deadline) if deadline < own => Until { at: deadline, limit: None },
            _ => Until { at: own, limit: Some(limit) },
        }
    }

    pub(crate) fn stamps(&self) -> &HeaderMap {
        &self.stamps
    }

    /// The HTTP client of this invocation, made when it is first needed.
    ///
    /// HTTP/1.1 only: one connection is one request under way, which is what the budget counts, and an
    /// Olin program reads HTTP/1.1. No proxy from the environment, no cookies, no decompression, no retries
    /// and no redirects but our own.
    pub(crate) fn client(&self) -> Result<&reqwest::Client, EgressError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let limits = &self.shared.limits;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(self.shared.tls.for_session(&[b"http/1.1"])?)
            .dns_resolver(self.dialer.clone())
            .no_proxy()
            .http1_only()
            .http1_max_headers(RESPONSE_FIELDS_MAX)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(limits.connect)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .pool_idle_timeout(IDLE_TIME)
            .build()
            .map_err(|error| EgressError::Setup(error.to_string()))?;
        Ok(self.client.get_or_init(|| client))
    }
}

fn unspoken(target: &Target, expected: &'static str) -> EgressError {
    EgressError::Scheme { url: target.to_string(), expected }
}
