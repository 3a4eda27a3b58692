//! What addresses serve, in memory: asked for once, kept until a change is told.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::StreamExt;
use wasmcloud_wire::{
    Change, ControlPlane, ControlPlaneError, Deployment, HandlerName, RouteKey, VersionNumber,
};

/// How long it is remembered that there is no such handler, if no change tells otherwise.
const ABSENT_FOR: Duration = Duration::from_secs(1);
/// Most names that are remembered as absent.
const ABSENT_MAX: usize = 10_000;
/// First and longest pause before the change stream is asked for again.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// The control plane's stream says something at least every 5 s; silence beyond this ends it.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The routing table of one executor.
pub(crate) struct Routes {
    control: Arc<dyn ControlPlane>,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    handlers: HashMap<HandlerName, HashMap<Option<VersionNumber>, Entry>>,
    absent: HashMap<RouteKey, Instant>,
    /// Goes up with every change, so that an answer that was asked for before one is not kept.
    generation: u64,
    /// Entries of an older generation are to be asked for again.
    fresh_since: u64,
}

struct Entry {
    deployment: Arc<Deployment>,
    generation: u64,
}

enum Known {
    Fresh(Arc<Deployment>),
    /// Changes may have been missed; this is served only if nobody knows better.
    Stale(Arc<Deployment>),
    Absent,
    Nothing,
}

impl Routes {
    pub(crate) fn new(control: Arc<dyn ControlPlane>) -> Routes {
        Routes { control, table: RwLock::default() }
    }

    /// The deployment that an address names. No I/O when it is known.
    ///
    /// # Errors
    ///
    /// The control plane was needed and did not answer.
    pub(crate) async fn lookup(&self, key: &RouteKey) -> Result<Option<Arc<Deployment>>, ControlPlaneError> {
        let (known, generation) = self.known(key);
        let fallback = match known {
            Known::Fresh(deployment) => return Ok(Some(deployment)),
            Known::Absent => return Ok(None),
            Known::Stale(deployment) => Some(deployment),
            Known::Nothing => None,
        };
        match self.control.resolve(key).await {
            Ok(found) => Ok(self.learn(key, found.map(Arc::new), generation)),
            Err(error) => fallback.map(Some).ok_or(error),
        }
    }

    fn known(&self, key: &RouteKey) -> (Known, u64) {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let entry = table.handlers.get(&key.handler).and_then(|versions| versions.get(&key.version));
        let known = match entry {
            Some(entry) if entry.generation >= table.fresh_since => Known::Fresh(entry.deployment.clone()),
            Some(entry) => Known::Stale(entry.deployment.clone()),
            None if table.absent.get(key).is_some_and(|until| Instant::now() < *until) => Known::Absent,
            None => Known::Nothing,
        };
        (known, table.generation)
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

    /// Forgets what a change has made untrue. New lookups see the change when this returns.
    pub(crate) fn apply(&self, change: &Change) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Handler { name } => {
                table.generation += 1;
                table.handlers.remove(name);
                table.absent.retain(|key, _| key.handler != *name);
            }
            Change::Resync => {
                table.generation += 1;
                table.fresh_since = table.generation;
                table.absent.clear();
            }
            Change::Heartbeat => {}
        }
    }

    /// Follows the control plane's changes for as long as the executor lives.
    pub(crate) async fn follow(&self) {
        let mut pause = RECONNECT_FIRST;
        loop {
            match self.control.changes().await {
                Ok(mut changes) => {
                    loop {
                        match tokio::time::timeout(SILENCE_MAX, changes.next()).await {
                            Ok(Some(change)) => {
                                pause = RECONNECT_FIRST;
                                self.apply(&change);
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
                Err(error) => {
                    tracing::warn!(%error, "the control plane's changes cannot be followed; trying again")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RECONNECT_MAX);
        }
    }
}
