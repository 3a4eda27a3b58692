//! Hosts that are not below the edge's domain, and the routes that their owners have made, in memory.
//!
//! Anybody can ask for any host, so that asking the control plane is bounded: one question a host at once, so many
//! at once in all, each counted for a while after its answer, shared fairly among clients' networks, and what is not
//! there is remembered. What is known is kept until a change is told, and is served when the control plane is away.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use tokio::sync::{Notify, watch};
use wasmcloud_fair::FairPool;
use wasmcloud_wire::{ControlPlane, ControlPlaneError, HostName, HostRoute};

/// How long it is remembered that a host has no routes, if no change tells otherwise.
const ABSENT_FOR: Duration = Duration::from_secs(5);
/// Most hosts that are remembered as without routes.
const ABSENT_MAX: usize = 10_000;
/// Most hosts with routes that are kept.
const KNOWN_MAX: usize = 20_000;
/// Questions about unknown hosts at once.
const LOOKUPS_AT_ONCE: usize = 32;
/// How long a question counts as one of them at least: so there are at most 320 a second.
const LOOKUP_COUNTS_FOR: Duration = Duration::from_millis(100);
/// How long a request waits for its turn to ask.
const TURN_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// How long a request waits for news of a host that is known already.
const STALE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long whoever tells of a change waits until the host is known anew.
const WARM_WAIT_MAX: Duration = Duration::from_secs(2);
/// Hosts that are asked for at once in the background, and in one round; and most that wait for it.
const REFRESH_AT_ONCE: usize = 8;
const REFRESH_ROUND_MAX: usize = 256;
const WARM_QUEUE_MAX: usize = 1_024;
/// First and longest pause before the background tries again.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// A host's routes; none if it is nobody's.
pub(crate) type HostRoutes = Arc<[HostRoute]>;

/// Why a host's routes are not known.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum HostsError {
    /// The control plane did not answer.
    #[error("{0}")]
    Away(Arc<ControlPlaneError>),
    /// Too many unknown hosts are being asked for.
    #[error("too many unknown hosts are asked for at once")]
    Busy,
}

type Answer = Result<HostRoutes, HostsError>;
/// What a question will be answered with.
type Pending = watch::Receiver<Option<Answer>>;

/// The hosts of one executor.
pub(crate) struct Hosts {
    control: Arc<dyn ControlPlane>,
    table: RwLock<Table>,
    /// Questions that are being asked. What is taken out of it while it is asked is not kept.
    asked: Mutex<HashMap<HostName, Pending>>,
    turns: FairPool<IpAddr>,
    to_warm: Mutex<VecDeque<HostName>>,
    /// Something is to be asked for in the background.
    work: Notify,
}

#[derive(Default)]
struct Table {
    known: HashMap<HostName, Known>,
    absent: HashMap<HostName, Instant>,
    /// The control plane did not answer when it was last asked about a stale host: until it does, requests go on
    /// with what is known.
    is_away: bool,
}

struct Known {
    routes: HostRoutes,
    /// Changes may have been missed.
    is_stale: bool,
}

impl Hosts {
    pub(crate) fn new(control: Arc<dyn ControlPlane>) -> Arc<Hosts> {
        Arc::new(Hosts {
            control,
            table: RwLock::default(),
            asked: Mutex::default(),
            turns: FairPool::new(LOOKUPS_AT_ONCE),
            to_warm: Mutex::default(),
            work: Notify::new(),
        })
    }

    /// The routes of a host. No I/O when they are known.
    ///
    /// # Errors
    ///
    /// The control plane was needed and did not answer, or too much is asked of it.
    pub(crate) async fn lookup(self: &Arc<Self>, host: &HostName, client: IpAddr) -> Answer {
        match self.known(host) {
            Some((routes, false)) => Ok(routes),
            Some((routes, true)) => match tokio::time::timeout(STALE_WAIT_MAX, self.ask(host)).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) | Err(_) => {
                    self.set_away(true);
                    Ok(routes)
                }
            },
            None => self.ask_in_turn(host, client).await,
        }
    }

    /// What is known of a host, and whether somebody may know better.
    fn known(&self, host: &HostName) -> Option<(HostRoutes, bool)> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        match table.known.get(host) {
            Some(known) => Some((known.routes.clone(), known.is_stale && !table.is_away)),
            None => {
                let until = table.absent.get(host)?;
                (Instant::now() < *until).then(|| (HostRoutes::default(), false))
            }
        }
    }

    /// Asks about a host that nothing is known of.
    async fn ask_in_turn(self: &Arc<Self>, host: &HostName, client: IpAddr) -> Answer {
        let pending = self.asked().get(host).cloned();
        if let Some(pending) = pending {
            return answered(pending).await;
        }
        let until = tokio::time::Instant::now() + TURN_WAIT_MAX;
        let turn = self.turns.take(network(client), 1, until).await.map_err(|_| HostsError::Busy)?;
        // Somebody may have asked meanwhile.
        if let Some((routes, _)) = self.known(host) {
            return Ok(routes);
        }
        tokio::spawn(async move {
            tokio::time::sleep(LOOKUP_COUNTS_FOR).await;
            drop(turn);
        });
        self.ask(host).await
    }

    /// Asks about a host, together with whoever asks already.
    async fn ask(self: &Arc<Self>, host: &HostName) -> Answer {
        let (sender, pending) = match self.asked().entry(host.clone()) {
            Slot::Occupied(asked) => (None, asked.get().clone()),
            Slot::Vacant(place) => {
                let (sender, pending) = watch::channel(None);
                place.insert(pending.clone());
                (Some(sender), pending)
            }
        };
        if let Some(sender) = sender {
            // Its own task: it comes to its end even if nobody waits for it any more.
            let (hosts, host, own) = (self.clone(), host.clone(), pending.clone());
            tokio::spawn(async move {
                let asking = tokio::time::timeout(ANSWER_MAX, hosts.control.routes(&host));
                let answer = match asking.await {
                    Ok(Ok(routes)) => Ok(HostRoutes::from(routes)),
                    Ok(Err(error)) => Err(HostsError::Away(Arc::new(error))),
                    Err(_) => {
                        let why = format!("no answer within {} s", ANSWER_MAX.as_secs());
                        Err(HostsError::Away(Arc::new(ControlPlaneError::Unavailable(why))))
                    }
                };
                hosts.learn(&host, &own, &answer);
                let _ = sender.send(Some(answer));
            });
        }
        answered(pending).await
    }

    /// Keeps an answer, unless a change came while it was asked for.
    fn learn(&self, host: &HostName, own: &Pending, answer: &Answer) {
        let mut asked = self.asked();
        if !asked.get(host).is_some_and(|pending| pending.same_channel(own)) {
            return;
        }
        if let Ok(routes) = answer {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            match routes.is_empty() {
                true => table.forget(host),
                false => table.keep(host, routes),
            }
        }
        asked.remove(host);
    }

    /// Forgets a host that has changed; whether it had routes.
    pub(crate) fn changed(&self, host: &HostName) -> bool {
        self.asked().remove(host);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.absent.remove(host);
        table.known.remove(host).is_some()
    }

    /// Forgets a host that has changed, and asks for it again if it had routes. New lookups see the change when this
    /// returns.
    pub(crate) async fn announce(self: &Arc<Self>, host: &HostName) {
        if !self.changed(host) {
            return;
        }
        // A failure is found by the next request too, if it lasts.
        if tokio::time::timeout(WARM_WAIT_MAX, self.ask(host)).await.is_err() {
            tracing::warn!(%host, "the control plane does not say in time what a host's routes are");
        }
    }

    /// Asks for a host in the background.
    pub(crate) fn warm_later(&self, host: &HostName) {
        let mut to_warm = self.to_warm.lock().unwrap_or_else(PoisonError::into_inner);
        if to_warm.len() < WARM_QUEUE_MAX {
            to_warm.push_back(host.clone());
        }
        self.work.notify_one();
    }

    /// Changes may have been missed: everything is to be asked for again.
    pub(crate) fn resync(&self) {
        self.asked().clear();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.absent.clear();
        table.is_away = false;
        table.known.values_mut().for_each(|known| known.is_stale = true);
        self.work.notify_one();
    }

    /// Asks in the background for what changes made unknown or doubtful, for as long as the executor lives.
    pub(crate) async fn refresh(self: &Arc<Self>) {
        let mut pause = RETRY_FIRST;
        loop {
            let round = self.doubtful();
            if round.is_empty() {
                pause = RETRY_FIRST;
                self.work.notified().await;
                continue;
            }
            let answers = stream::iter(round).map(|host| async move { self.ask(&host).await.is_ok() });
            let answered = answers.buffer_unordered(REFRESH_AT_ONCE);
            let all = answered.fold(true, |all, answered| std::future::ready(all && answered)).await;
            self.set_away(!all);
            if !all {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }

    /// Some of what is to be asked for. What is doubtful stays so until there is an answer; what is unknown is
    /// tried once, and is then the next request's.
    fn doubtful(&self) -> Vec<HostName> {
        let mut hosts: Vec<HostName> = {
            let mut to_warm = self.to_warm.lock().unwrap_or_else(PoisonError::into_inner);
            let count = to_warm.len().min(REFRESH_ROUND_MAX);
            to_warm.drain(..count).collect()
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let stale = table.known.iter().filter(|(_, known)| known.is_stale).map(|(host, _)| host.clone());
        hosts.extend(stale.take(REFRESH_ROUND_MAX - hosts.len()));
        hosts
    }

    fn set_away(&self, is_away: bool) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).is_away = is_away;
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<HostName, Pending>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn keep(&mut self, host: &HostName, routes: &HostRoutes) {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(host) {
            // Whichever: it is asked for again when it is wanted.
            let one = self.known.keys().next().cloned();
            one.and_then(|one| self.known.remove(&one));
        }
        self.absent.remove(host);
        self.known.insert(host.clone(), Known { routes: routes.clone(), is_stale: false });
    }

    fn forget(&mut self, host: &HostName) {
        self.known.remove(host);
        let now = Instant::now();
        if self.absent.len() >= ABSENT_MAX {
            self.absent.retain(|_, until| now < *until);
        }
        // Full of what is still true: this one is not remembered.
        if self.absent.len() < ABSENT_MAX {
            self.absent.insert(host.clone(), now + ABSENT_FOR);
        }
    }
}

async fn answered(mut pending: Pending) -> Answer {
    match pending.wait_for(Option::is_some).await.map(|answer| answer.clone()) {
        Ok(Some(answer)) => answer,
        _ => Err(HostsError::Busy),
    }
}

/// The part of an address that one client cannot change at will.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}
