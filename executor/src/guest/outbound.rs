//! One invocation's way out: what the handler's policy says about a URL, what happens to one that it does
//! not let through, and what was used.
//!
//! Nothing is made before it is needed: most programs open no URL of the network.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use wasmcloud_egress::{self as egress, Denial, Egress, EgressError, Policy, Target};
use wasmcloud_wire::{Header, PolicyMode, Timestamp, UrlPolicy, UserId};

use super::session::listed;
use super::{Advice, DEPTH_FIELD, KnownHosts, Policies, Session, Stop, depth};

/// Bytes of requests that an invocation has written and not sent yet, all its resources together.
pub(crate) const UNSENT_BYTES_MAX: usize = 12 << 20;

/// What all invocations share. Behind one count, which each of them changes.
pub(crate) struct Network {
    /// Makes every connection.
    egress: Egress,
    /// Certificates that were seen before.
    known_hosts: KnownHosts,
    /// Policies that were asked for before.
    policies: Policies,
}

impl Network {
    /// Remembers certificates in this folder.
    pub(crate) fn new(egress: Egress, known_hosts: PathBuf) -> Arc<Network> {
        let known_hosts = KnownHosts::new(known_hosts);
        Arc::new(Network { egress, known_hosts, policies: Policies::default() })
    }
}

/// One invocation's way out.
pub(crate) struct Outbound {
    network: Arc<Network>,
    urls: UrlPolicy,
    advice: Advice,
    user: egress::User,
    deadline: Instant,
    depth: u32,
    /// Whether a request beyond those that may be under way at once waits for its place.
    waits: bool,
    opened: Option<Opened>,
    denied: Vec<String>,
    unsent: Arc<AtomicUsize>,
}

/// What is made when the first URL is opened.
struct Opened {
    policy: Arc<Policy>,
    way: Arc<egress::Session>,
}

/// Why a URL is not opened, from a policy that ends a program for it or not.
pub(crate) enum Refused {
    /// The program is told.
    Told,
    /// The program ends.
    Stop(Stop),
}

impl Outbound {
    /// For an invocation that ends at `deadline`, of a request with these header fields.
    pub(crate) fn new(
        network: Arc<Network>,
        urls: UrlPolicy,
        advice: Advice,
        deadline: Instant,
        request: &[Header],
    ) -> Outbound {
        Outbound {
            network,
            urls,
            advice,
            user: egress::User::default(),
            deadline,
            depth: depth(request),
            waits: false,
            opened: None,
            denied: Vec::new(),
            unsent: Arc::default(),
        }
    }

    /// For a handler of this user, with whom others share the host's lookups of names.
    pub(crate) fn of_user(mut self, owner: UserId) -> Outbound {
        self.user = egress::User(owner.0.as_u128());
        self
    }

    /// For a program that may have several requests under way. One that does one thing at a time would wait in
    /// vain for a place that only itself could free.
    pub(crate) fn waiting(mut self, waits: bool) -> Outbound {
        self.waits = waits;
        self
    }

    /// The header fields that the host sets in every request.
    pub(crate) fn stamps(&self) -> HeaderMap {
        let mut stamps = HeaderMap::new();
        let depth = HeaderValue::from(self.depth.saturating_add(1));
        stamps.insert(HeaderName::from_static(DEPTH_FIELD), depth);
        stamps
    }

    /// The policy, read when it is first asked.
    fn opened(&mut self) -> Result<&Opened, egress::PolicyError> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => {
                let policy = self.network.policies.get(self.advice.owner(), &self.urls)?;
                // What is only observed is decided here, not there.
                let enforced = match self.urls.mode {
                    PolicyMode::Observe => Arc::new(Policy::allow_all()?),
                    PolicyMode::Deny | PolicyMode::End => policy.clone(),
                };
                let way = self.network.egress.session(enforced).of_user(self.user).until(self.deadline);
                let way = way.stamped(self.stamps());
                let way = if self.waits { way } else { way.without_waiting() };
                Opened { policy, way: Arc::new(way) }
            }
        };
        Ok(self.opened.insert(opened))
    }

    /// What the receipt says of it.
    pub(crate) fn used(&mut self) -> wasmcloud_wire::Outbound {
        let usage = self.opened.as_ref().map(|opened| opened.way.usage()).unwrap_or_default();
        wasmcloud_wire::Outbound {
            requests: usage.requests,
            bytes_sent: usage.bytes_sent,
            bytes_received: usage.bytes_received,
            denied: std::mem::take(&mut self.denied),
        }
    }
}

impl Session {
    /// Asks the policy about a URL of the network. What it does not let through is recorded, and told to
    /// the log, or ends the program.
    pub(crate) fn permit(&mut self, target: &Target) -> Result<(), Refused> {
        match self.outbound.opened() {
            Ok(opened) => match opened.policy.check(target) {
                Ok(()) => Ok(()),
                Err(denial) => self.deny(&denial, None),
            },
            Err(error) => {
                // Whoever takes policies in has let one through that cannot be read: nothing is open.
                let text =
                    format!("{target} is not opened, since the handler's policy cannot be used: {error}");
                self.logs.warn(&text);
                Err(Refused::Told)
            }
        }
    }

    /// Asks the policy about a URL that stays within the invocation, which matters only to a policy that
    /// ends programs.
    pub(crate) fn permit_local(&mut self, url: &str) -> Result<(), Refused> {
        if self.outbound.urls.mode != PolicyMode::End {
            return Ok(());
        }
        match Target::parse(url) {
            Ok(target) => self.permit(&target),
            Err(error) => Err(Refused::Stop(Stop::Denied(error.to_string()))),
        }
    }

    /// The way to the network.
    pub(crate) fn way_out(&mut self) -> Result<Arc<egress::Session>, EgressError> {
        let opened = self.outbound.opened().map_err(|error| EgressError::Setup(error.to_string()))?;
        Ok(opened.way.clone())
    }

    /// Tells the log of a refusal or a failure. A denial by a policy that ends programs ends this one, and
    /// so does what failed because the invocation's time is over.
    pub(crate) fn refused(&mut self, error: &EgressError) -> Result<(), Stop> {
        if matches!(error, EgressError::Deadline(_)) || self.watch.is_over() {
            return Err(Stop::Killed);
        }
        let line = self.outbound.advice.line(error);
        match error.denial() {
            Some(denial) => match self.deny(denial, Some(line)) {
                Err(Refused::Stop(stop)) => Err(stop),
                _ => Ok(()),
            },
            None => {
                self.logs.warn(&line);
                Ok(())
            }
        }
    }

    /// Whether a server is the one that it was before, by its certificate.
    pub(crate) fn trust(&mut self, host: &str, certificate: &[u8]) -> Result<(), Refused> {
        let Outbound { network, advice, .. } = &self.outbound;
        network.known_hosts.trust(&advice.owner(), host, certificate, Timestamp::now()).map_err(|distrust| {
            advice.tell_operator(&distrust);
            self.logs.warn(&advice.distrust(&distrust));
            Refused::Told
        })
    }

    /// Notes which URLs were requested, redirects included; those that are only observed are recorded.
    pub(crate) fn note_urls(&mut self) {
        let Some(opened) = &self.outbound.opened else { return };
        for url in opened.way.usage().urls {
            if self.outbound.urls.mode == PolicyMode::Observe
                && let Ok(target) = Target::parse(&url)
                && opened.policy.check(&target).is_err()
            {
                listed(&mut self.outbound.denied, &url);
            }
            self.used.url(&url);
        }
    }

    /// Waits for the world outside, but not longer than the invocation may last.
    pub(crate) fn wait<F: Future>(&mut self, future: F) -> Result<F::Output, Stop> {
        self.logs.report();
        let watch = self.watch.clone();
        let done = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = watch.killed() => None,
                done = future => Some(done),
            }
        });
        done.ok_or(Stop::Killed)
    }

    /// Room for a request that is being written.
    pub(crate) fn unsent(&self) -> Unsent {
        Unsent { bytes: Vec::new(), held: 0, all: self.outbound.unsent.clone() }
    }

    fn deny(&mut self, denial: &Denial, line: Option<String>) -> Result<(), Refused> {
        let is_new = listed(&mut self.outbound.denied, &denial.url);
        let line = line.unwrap_or_else(|| self.outbound.advice.denial(denial));
        match self.outbound.urls.mode {
            PolicyMode::Observe => Ok(()),
            PolicyMode::Deny => {
                // Once is enough, however often the program tries.
                if is_new {
                    self.logs.warn(&line);
                }
                Err(Refused::Told)
            }
            PolicyMode::End => Err(Refused::Stop(Stop::Denied(line))),
        }
    }
}

/// A request that is being written, within what the invocation may hold back in all.
pub(crate) struct Unsent {
    bytes: Vec<u8>,
    /// How many of them count.
    held: usize,
    all: Arc<AtomicUsize>,
}

impl Unsent {
    /// Takes more; `false` if there is no room for it.
    pub(crate) fn push(&mut self, bytes: &[u8], max: usize) -> bool {
        if self.bytes.len() + bytes.len() > max {
            return false;
        }
        let all = self.all.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if all > UNSENT_BYTES_MAX {
            self.all.fetch_sub(bytes.len(), Ordering::Relaxed);
            return false;
        }
        self.held += bytes.len();
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what was written, which counts until this is dropped.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        self.all.fetch_sub(self.held, Ordering::Relaxed);
    }
}
