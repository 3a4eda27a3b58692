//! How many invocations run at once: per handler, per user, per executor.
//!
//! Whoever finds no place waits for at most [`CONCURRENCY_WAIT_MS_MAX`] and is then turned away.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_wire::limits::{
    CONCURRENCY_PER_EXECUTOR_MAX, CONCURRENCY_PER_HANDLER_MAX, CONCURRENCY_PER_USER_MAX,
    CONCURRENCY_WAIT_MS_MAX,
};
use wasmcloud_wire::{Deployment, HandlerId, InvokeError, UserId};

/// When to try again, as it is told to clients, in seconds.
const RETRY_AFTER_S: u32 = 1;
/// Handlers, and users, whose counts are kept before those with nothing running are forgotten.
const COUNTS_MAX: usize = 4_096;

/// The places of one executor.
pub(crate) struct Admission {
    executor: Arc<Semaphore>,
    handlers: Places<HandlerId>,
    users: Places<UserId>,
}

/// A place for one invocation, given back when it is dropped.
pub(crate) struct Place {
    _permits: [OwnedSemaphorePermit; 3],
}

impl Admission {
    pub(crate) fn new() -> Admission {
        Admission {
            executor: Arc::new(Semaphore::new(CONCURRENCY_PER_EXECUTOR_MAX)),
            handlers: Places::new(CONCURRENCY_PER_HANDLER_MAX),
            users: Places::new(CONCURRENCY_PER_USER_MAX),
        }
    }

    /// A place for an invocation of this deployment.
    ///
    /// # Errors
    ///
    /// `Busy`, naming the limit that stayed hit: the handler's before the user's before the executor's.
    pub(crate) async fn admit(&self, deployment: &Deployment) -> Result<Place, InvokeError> {
        let until = tokio::time::Instant::now() + Duration::from_millis(CONCURRENCY_WAIT_MS_MAX);
        let handler = self.handlers.of(deployment.handler);
        let handler = wait(handler, until, || {
            format!("{CONCURRENCY_PER_HANDLER_MAX} invocations of this handler are running, as many as may at once")
        })
        .await?;
        let user = wait(self.users.of(deployment.owner), until, || {
            format!("{CONCURRENCY_PER_USER_MAX} invocations of this user's handlers are running, as many as may at once")
        })
        .await?;
        let executor = wait(self.executor.clone(), until, || {
            format!("{CONCURRENCY_PER_EXECUTOR_MAX} invocations are running on this executor, as many as may at once")
        })
        .await
        .map_err(|error| match error {
            InvokeError::Busy { message, retry_after_s, .. } => {
                InvokeError::Busy { message, retry_after_s, executor_full: true }
            }
            other => other,
        })?;
        Ok(Place { _permits: [handler, user, executor] })
    }

    /// How many invocations run right now.
    pub(crate) fn running(&self) -> usize {
        CONCURRENCY_PER_EXECUTOR_MAX - self.executor.available_permits()
    }
}

async fn wait(
    semaphore: Arc<Semaphore>,
    until: tokio::time::Instant,
    message: impl FnOnce() -> String,
) -> Result<OwnedSemaphorePermit, InvokeError> {
    match tokio::time::timeout_at(until, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => {
            Err(InvokeError::Busy { message: message(), executor_full: false, retry_after_s: RETRY_AFTER_S })
        }
    }
}

struct Places<K> {
    each: usize,
    semaphores: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Places<K> {
    fn new(each: usize) -> Places<K> {
        Places { each, semaphores: Mutex::default() }
    }

    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut semaphores = self.semaphores.lock().unwrap_or_else(PoisonError::into_inner);
        if semaphores.len() >= COUNTS_MAX {
            // Whoever holds or awaits a permit holds the semaphore.
            semaphores.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
        }
        semaphores.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))).clone()
    }
}
