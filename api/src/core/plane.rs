//! What executors ask of the control plane.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_wire::{
    AccountUse, Change, ChangeStream, ControlPlane, ControlPlaneError, Deployment, Digest, ExecutorReport,
    HostName, HostRoute, Invoker, Record, RouteKey, Timestamp,
};

use super::Core;
use crate::sealing::SealError;
use crate::store::StoreError;

/// How many missing modules are told of, by one process.
const MISSING_TOLD_MAX: usize = 1_000;

/// The modules that were told to be missing.
#[derive(Default)]
pub(super) struct Missing(Mutex<BTreeSet<Digest>>);

impl Missing {
    /// Whether this one was not told yet, and may be.
    fn is_new(&self, digest: &Digest) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < MISSING_TOLD_MAX && told.insert(*digest)
    }
}

/// How often a change stream says that it is alive.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);

#[async_trait]
impl ControlPlane for Core {
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
        self.deployment(key).await.map_err(unavailable)
    }

    async fn routes(&self, host: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
        self.store.host_routes(host).await.map_err(unavailable)
    }

    async fn report(&self, report: ExecutorReport) -> Result<(), ControlPlaneError> {
        self.store.see_executor(&report, Timestamp::now()).await.map_err(unavailable)
    }

    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError> {
        self.keep_usage(executor, used).await
    }

    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
        let feed = Feed {
            changes: self.changes.subscribe(),
            closing: self.closing.clone(),
            heartbeat: Instant::now() + HEARTBEAT_EVERY,
        };
        let rest =
            stream::unfold(feed, |mut feed| async move { feed.next().await.map(|change| (change, feed)) });
        Ok(stream::once(async { Change::Resync }).chain(rest).boxed())
    }

    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
        self.store.record(&batch).await.map_err(unavailable)?;
        let handlers: BTreeSet<_> = batch.iter().map(|record| record.handler).collect();
        for handler in handlers {
            self.hub.wake(handler);
        }
        Ok(())
    }

    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
        let bytes = self.blobs.get(digest).await.map_err(unavailable)?;
        if bytes.is_none() {
            self.tell_of_missing(digest).await;
        }
        Ok(bytes)
    }
}

impl Core {
    /// Says, once for each module, that the database knows one that is not where modules are kept.
    async fn tell_of_missing(&self, digest: &Digest) {
        let in_use = match self.store.module_in_use(digest).await {
            Ok(in_use) => in_use,
            Err(error) => {
                return tracing::debug!(%digest, %error, "it is not known whether a module is in use");
            }
        };
        if in_use && self.missing.is_new(digest) {
            tracing::warn!(
                %digest,
                "a module is in the database, but not where this API keeps modules: give all APIs of this database the \
                 same --storage, or restore it from a backup"
            );
        }
    }

    /// What an address serves, within its handler's policy and this installation's limits.
    pub(crate) async fn deployment(&self, key: &RouteKey) -> Result<Option<Deployment>, DeploymentError> {
        let Some(row) = self.store.deployment(key).await? else { return Ok(None) };
        let env = self.open_env(row.handler, &row.settings).inspect_err(|error| {
            tracing::error!(handler = %row.name, path = %self.config.settings_key_file.display(), %error,
                "a handler's settings cannot be read");
        })?;
        Ok(Some(row.deployment(env, &self.config.limits, &self.config.limits_max)))
    }

    /// Tells every executor of a change that is committed; returns once `invoker` has seen it.
    pub(crate) async fn announce(&self, invoker: &Arc<dyn Invoker>, change: Change) {
        // Those who follow are told by the feed, and by it alone: of everybody's changes, each once.
        self.changed.notify_one();
        invoker.announce(&change).await;
    }
}

/// Why it is not known what an address serves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeploymentError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The handler's settings cannot be read.
    #[error(transparent)]
    Sealed(#[from] SealError),
}

pub(super) fn unavailable(error: impl std::error::Error) -> ControlPlaneError {
    ControlPlaneError::Unavailable(error.to_string())
}

struct Feed {
    changes: broadcast::Receiver<Change>,
    closing: CancellationToken,
    heartbeat: Instant,
}

impl Feed {
    async fn next(&mut self) -> Option<Change> {
        tokio::select! {
            () = self.closing.cancelled() => None,
            change = self.changes.recv() => match change {
                Ok(change) => Some(change),
                Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Resync),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            () = tokio::time::sleep_until(self.heartbeat) => {
                self.heartbeat = Instant::now() + HEARTBEAT_EVERY;
                Some(Change::Heartbeat)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_module_is_told_once_and_no_more_than_the_bound() {
        let missing = Missing::default();
        let digest = |number: usize| Digest::of(&number.to_le_bytes());
        assert!(missing.is_new(&digest(0)) && !missing.is_new(&digest(0)));
        assert!((1..MISSING_TOLD_MAX).all(|number| missing.is_new(&digest(number))));
        assert!(!missing.is_new(&digest(MISSING_TOLD_MAX)));
    }
}
