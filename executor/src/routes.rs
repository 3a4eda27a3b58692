//! What addresses serve, in memory: asked for once, kept until a change is told.
//!
//! What a change makes untrue is forgotten at once, and asked for again at once if it was known, so
//! that a handler goes on answering when the control plane goes away right after its change. After a
//! `Resync`, what is known is asked for again in the background; a request waits for that only as long
//! as the control plane answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;
use tokio::sync::Notify;
use wasmcloud_wire::{
    Change, ControlPlane, ControlPlaneError, Deployment, HandlerName, RouteKey, VersionNumber,
};

use crate::hosts::Hosts;
use crate::suspension::Suspension;

/// How long it is remembered that there is no such handler, if no change tells otherwise.
const ABSENT_FOR: Duration = Duration::from_secs(1);
/// Most names that are remembered as absent.
const ABSENT_MAX: usize = 10_000;
/// First and longest pause before the change stream is asked for again.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// The control plane's stream says something at least every 5 s; silence beyond this ends it.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// How long a request waits for news of what is known already.
const STALE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long whoever tells of a change waits until what it made untrue is known anew.
const WARM_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long an answer is waited for in the background.
const REFRESH_WAIT_MAX: Duration = Duration::from_secs(5);
/// Most addresses of one handler that are asked for again at its change; its other pinned versions wait
/// for their next request.
const WARM_PER_HANDLER_MAX: usize = 8;
/// Most addresses that wait to be asked for in the background; others wait for their next request.
const WARM_QUEUE_MAX: usize = 1_024;
/// Addresses that are asked for at once in the background, and in one round.
const REFRESH_AT_ONCE: usize = 8;
const REFRESH_ROUND_MAX: usize = 256;

/// The routing table of one executor.
pub(crate) struct Routes {
    control: Arc<dyn ControlPlane>,
    table: RwLock<Table>,
    /// What changes made unknown, to be asked for in the background.
    to_warm: Mutex<VecDeque<RouteKey>>,
    /// Something is to be asked for in the background.
    work: Notify,
    /// Hosts that lead to handlers by the routes that their owners have made.
    pub(crate) hosts: Arc<Hosts>,
    /// Hears of every answer.
    suspension: Arc<Suspension>,
}

#[derive(Default)]
struct Table {
    handlers: HashMap<HandlerName, HashMap<Option<VersionNumber>, Entry>>,
    absent: HashMap<RouteKey, Instant>,
    /// Goes up with every change, so that an answer that was asked for before one is not kept.
    generation: u64,
    /// Entries of an older generation are to be asked for again.
    fresh_since: u64,
    /// The control plane did not answer when it was last asked for a stale entry: until it does,
    /// requests go on with what is known without asking it themselves.
    is_away: bool,
}

struct Entry {
    deployment: Arc<Deployment>,
    generation: u64,
}

enum Known {
    Fresh(Arc<Deployment>),
    /// Changes may have been missed; this is served only if nobody knows better.
    Stale(Arc<Deployment>),
    /// The same, and nobody who would know better answers.
    Kept(Arc<Deployment>),
    Absent,
    Nothing,
}

impl Routes {
    pub(crate) fn new(control: Arc<dyn ControlPlane>, suspension: Arc<Suspension>) -> Routes {
        let hosts = Hosts::new(control.clone());
        let (table, to_warm) = (RwLock::default(), Mutex::default());
        Routes { control, table, to_warm, work: Notify::new(), hosts, suspension }
    }

    /// The deployment that an address names. No I/O when it is known.
    ///
    /// # Errors
    ///
    /// The control plane was needed and did not answer.
    pub(crate) async fn lookup(&self, key: &RouteKey) -> Result<Option<Arc<Deployment>>, ControlPlaneError> {
        match self.known(key) {
            Known::Fresh(deployment) | Known::Kept(deployment) => Ok(Some(deployment)),
            Known::Absent => Ok(None),
            Known::Nothing => self.ask(key).await,
            Known::Stale(deployment) => match tokio::time::timeout(STALE_WAIT_MAX, self.ask(key)).await {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(_)) | Err(_) => {
                    self.set_away(true);
                    Ok(Some(deployment))
                }
            },
        }
    }

    /// Asks the control plane, and keeps what it says.
    async fn ask(&self, key: &RouteKey) -> Result<Option<Arc<Deployment>>, ControlPlaneError> {
        let generation = self.table.read().unwrap_or_else(PoisonError::into_inner).generation;
        let found = self.control.resolve(key).await?;
        found.iter().for_each(|deployment| self.suspension.learn(deployment));
        let found = self.learn(key, found.map(Arc::new), generation);
        self.warm_split(found.as_deref());
        Ok(found)
    }

    /// Asks in the background for the version that answers a part of an address's clients, if it is not known.
    fn warm_split(&self, live: Option<&Deployment>) {
        let Some((live, split)) = live.and_then(|live| Some((live, live.split?))) else { return };
        let pinned = RouteKey { handler: live.name.clone(), version: Some(split.version) };
        if matches!(self.known(&pinned), Known::Nothing) {
            self.warm_later(vec![pinned]);
        }
    }

    fn set_away(&self, is_away: bool) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).is_away = is_away;
    }

    fn known(&self, key: &RouteKey) -> Known {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let entry = table.handlers.get(&key.handler).and_then(|versions| versions.get(&key.version));
        match entry {
            Some(entry) if entry.generation >= table.fresh_since => Known::Fresh(entry.deployment.clone()),
            Some(entry) if table.is_away => Known::Kept(entry.deployment.clone()),
            Some(entry) => Known::Stale(entry.deployment.clone()),
            None if table.absent.get(key).is_some_and(|until| Instant::now() < *until) => Known::Absent,
            None => Known::Nothing,
        }
    }

    fn learn(
        &self,
        key: &RouteKey,
        found: Option<Arc<Deployment>>,
        asked_at: u64,
    ) -> Option<Arc<Deployment>> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if table.generation != asked_at {
            return found;
        }
        match &found {
            Some(deployment) => {
                let entry = Entry { deployment: deployment.clone(), generation: asked_at };
                table.handlers.entry(key.handler.clone()).or_default().insert(key.version, entry);
            }
            None => {
                // Only this key: a version that never was says nothing about the live one.
                if let Some(versions) = table.handlers.get_mut(&key.handler) {
                    versions.remove(&key.version);
                }
                if table.absent.len() >= ABSENT_MAX {
                    table.absent.clear();
                }
                table.absent.insert(key.clone(), Instant::now() + ABSENT_FOR);
            }
        }
        found
    }

    /// Forgets what a change has made untrue, and asks for it again. New lookups see the change when
    /// this returns; what could not be had in time is left to them.
    pub(crate) async fn announce(&self, change: &Change) {
        if let Change::Host { host } = change {
            return self.hosts.announce(host).await;
        }
        let forgotten = self.apply(change);
        let asked = stream::iter(&forgotten).for_each_concurrent(REFRESH_AT_ONCE, |key| async move {
            // A failure is found by the next request too, if it lasts.
            let _ = self.ask(key).await;
        });
        if tokio::time::timeout(WARM_WAIT_MAX, asked).await.is_err() {
            tracing::warn!(?change, "the control plane does not say in time what a change is about");
        }
    }

    /// Forgets what a change has made untrue. New lookups see the change when this returns. Returns
    /// what is to be asked for: what was known before, and what runs.
    fn apply(&self, change: &Change) -> Vec<RouteKey> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Handler { name } => {
                table.generation += 1;
                table.absent.retain(|key, _| key.handler != *name);
                let versions = table.handlers.remove(name).unwrap_or_default();
                // The live version is `None`, which sorts first.
                let mut versions: Vec<Option<VersionNumber>> = versions.into_keys().collect();
                versions.sort_unstable();
                versions.truncate(WARM_PER_HANDLER_MAX);
                if versions.first() != Some(&None) && self.suspension.runs(name) {
                    // Nobody may have asked for it here: the control plane calls it by itself.
                    versions.insert(0, None);
                }
                versions.into_iter().map(|version| RouteKey { handler: name.clone(), version }).collect()
            }
            Change::Resync => {
                table.generation += 1;
                table.fresh_since = table.generation;
                table.is_away = false;
                table.absent.clear();
                self.work.notify_one();
                self.hosts.resync();
                // What runs comes first: it may be suspended by now.
                let running = self.suspension.running().into_iter();
                running.map(|handler| RouteKey { handler, version: None }).collect()
            }
            Change::Host { host } => {
                if self.hosts.changed(host) {
                    self.hosts.warm_later(host);
                }
                Vec::new()
            }
            Change::Heartbeat => Vec::new(),
        }
    }

    /// Keeps the table true for as long as the executor lives.
    pub(crate) async fn follow(&self) {
        tokio::join!(self.follow_changes(), self.refresh(), self.hosts.refresh());
    }

    /// Asks in the background for what changes made unknown or doubtful.
    async fn refresh(&self) {
        let mut pause = RECONNECT_FIRST;
        loop {
            let round = self.doubtful();
            if round.is_empty() {
                pause = RECONNECT_FIRST;
                self.work.notified().await;
                continue;
            }
            let answers = stream::iter(round).map(|key| async move {
                let answer = tokio::time::timeout(REFRESH_WAIT_MAX, self.ask(&key)).await;
                let answered = matches!(answer, Ok(Ok(_)));
                if !answered && self.suspension.runs(&key.handler) {
                    self.warm_later(vec![key]);
                }
                answered
            });
            let answered = answers.buffer_unordered(REFRESH_AT_ONCE);
            let all = answered.fold(true, |all, answered| std::future::ready(all && answered)).await;
            self.set_away(!all);
            if !all {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RECONNECT_MAX);
            }
        }
    }

    /// Some of what is to be asked for. What is doubtful stays so until there is an answer, and so does what runs;
    /// what else is unknown is tried once, and is then the next request's.
    fn doubtful(&self) -> Vec<RouteKey> {
        let mut keys: Vec<RouteKey> = {
            let mut to_warm = self.to_warm.lock().unwrap_or_else(PoisonError::into_inner);
            let count = to_warm.len().min(REFRESH_ROUND_MAX);
            to_warm.drain(..count).collect()
        };
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let stale = table.handlers.iter().flat_map(|(handler, versions)| {
            let stale = versions.iter().filter(|(_, entry)| entry.generation < table.fresh_since);
            stale.map(|(version, _)| RouteKey { handler: handler.clone(), version: *version })
        });
        keys.extend(stale.take(REFRESH_ROUND_MAX - keys.len()));
        keys
    }

    fn warm_later(&self, keys: Vec<RouteKey>) {
        if keys.is_empty() {
            return;
        }
        let mut to_warm = self.to_warm.lock().unwrap_or_else(PoisonError::into_inner);
        let room = WARM_QUEUE_MAX.saturating_sub(to_warm.len());
        to_warm.extend(keys.into_iter().take(room));
        self.work.notify_one();
    }

    async fn follow_changes(&self) {
        let mut pause = RECONNECT_FIRST;
        let mut fails = false;
        loop {
            match self.control.changes().await {
                Ok(mut changes) => {
                    if std::mem::take(&mut fails) {
                        tracing::info!("the control plane's changes are followed again");
                    }
                    loop {
                        match tokio::time::timeout(SILENCE_MAX, changes.next()).await {
                            Ok(Some(change)) => {
                                pause = RECONNECT_FIRST;
                                self.warm_later(self.apply(&change));
                            }
                            // A control plane that stops ends its streams; that is no news.
                            Ok(None) => break,
                            Err(_) => {
                                tracing::warn!("the control plane's changes went silent; asking again");
                                break;
                            }
                        }
                    }
                }
                // One line when it begins.
                Err(_) if fails => {}
                Err(error) => {
                    fails = true;
                    tracing::warn!(%error, "the control plane's changes cannot be followed; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }
}
