//! How many invocations run at once: per handler, per user, per executor; and what an account's plan allows, which is
//! asked first.
//!
//! Whoever finds no place waits for at most [`CONCURRENCY_WAIT_MS_MAX`] and is then turned away. The
//! executor's places are shared fairly ([`FairPool`]): as they fill, those who hold many have to wait, and
//! those who hold few do not.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmcloud_fair::{FairPool, Full, Share};
use wasmcloud_wire::limits::{
    CONCURRENCY_PER_EXECUTOR_MAX, CONCURRENCY_PER_HANDLER_MAX, CONCURRENCY_PER_USER_MAX,
    CONCURRENCY_WAIT_MS_MAX,
};
use wasmcloud_wire::{Deployment, HandlerId, InvokeError, UserId};

use crate::quota::{Begun, Quotas};
use crate::suspension::Listed;

/// When to try again, as it is told to clients, in seconds.
const RETRY_AFTER_S: u32 = 1;
/// Handlers, and users, whose counts are kept before those with nothing running are forgotten.
const COUNTS_MAX: usize = 4_096;

/// The places of one executor.
pub(crate) struct Admission {
    quotas: Arc<Quotas>,
    executor: FairPool<UserId>,
    handlers: Places<HandlerId>,
    users: Places<UserId>,
}

/// A place for one invocation, given back when it is dropped.
pub(crate) struct Place {
    _share: Share<UserId>,
    _permits: [OwnedSemaphorePermit; 2],
    _begun: Begun,
    listed: Option<Listed>,
}

impl Place {
    /// Keeps the invocation listed for as long as it has its place.
    pub(crate) fn keep(&mut self, listed: Listed) {
        self.listed = Some(listed);
    }
}

impl Admission {
    pub(crate) fn new(quotas: Arc<Quotas>) -> Admission {
        Admission {
            quotas,
            executor: FairPool::new(CONCURRENCY_PER_EXECUTOR_MAX),
            handlers: Places::new(CONCURRENCY_PER_HANDLER_MAX),
            users: Places::new(CONCURRENCY_PER_USER_MAX),
        }
    }

    /// A place for an invocation of this deployment.
    ///
    /// # Errors
    ///
    /// `OverQuota`, naming the quota that is used up; `Busy`, naming the limit that stayed hit: the handler's before
    /// the user's before the executor's.
    pub(crate) async fn admit(&self, deployment: &Deployment) -> Result<Place, InvokeError> {
        let until = Instant::now() + Duration::from_millis(CONCURRENCY_WAIT_MS_MAX);
        // Counted now, so that no two have the last place of a quota; taken back if it comes to nothing.
        let mut begun = self.quotas.begin(deployment, until).await?;
        let handler = self.handlers.of(deployment.handler);
        let handler = wait(handler, until, || {
            format!("{CONCURRENCY_PER_HANDLER_MAX} invocations of this handler are running, as many as may at once")
        })
        .await?;
        let user = wait(self.users.of(deployment.owner), until, || {
            format!("{CONCURRENCY_PER_USER_MAX} invocations of this user's handlers are running, as many as may at once")
        })
        .await?;
        let share = self.executor.take(deployment.owner, 1, until).await.map_err(executor_busy)?;
        begun.begun();
        Ok(Place { _share: share, _permits: [handler, user], _begun: begun, listed: None })
    }

    /// How many invocations run right now.
    pub(crate) fn running(&self) -> usize {
        self.executor.taken()
    }
}

/// The executor itself is full, or this user holds as much of it as is fair.
fn executor_busy(Full { held, free }: Full) -> InvokeError {
    if held == 0 {
        let message = format!(
            "{CONCURRENCY_PER_EXECUTOR_MAX} invocations are running on this executor, as many as may at once"
        );
        return busy(message, true);
    }
    let message = format!(
        "{held} invocations of this user's handlers are running, as many as may while this executor is busy: \
         {free} more places are free, and kept for other users"
    );
    busy(message, false)
}

fn busy(message: String, executor_full: bool) -> InvokeError {
    InvokeError::Busy { message, executor_full, retry_after_s: RETRY_AFTER_S }
}

async fn wait(
    semaphore: Arc<Semaphore>,
    until: Instant,
    message: impl FnOnce() -> String,
) -> Result<OwnedSemaphorePermit, InvokeError> {
    match tokio::time::timeout_at(until, semaphore.acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        _ => Err(busy(message(), false)),
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

#[cfg(test)]
pub(crate) mod tests {
    use futures::future::join_all;
    use wasmcloud_wire::{Abi, Digest, Limits, VersionNumber};

    use super::*;

    pub(crate) fn deployment(owner: UserId) -> Deployment {
        Deployment {
            handler: HandlerId::new(),
            name: "hello".parse().unwrap(),
            owner,
            version: VersionNumber(1),
            digest: Digest::of(b"module"),
            abi: Abi::Olin,
            env: Default::default(),
            limits: Limits::default(),
            urls: Default::default(),
            forward_authorization: false,
            secrets: Default::default(),
            split: None,
            recording: None,
            quota: Default::default(),
            suspended: None,
        }
    }

    /// Asks for as many places as one user may have, over several handlers.
    async fn greedy(admission: &Admission, owner: UserId) -> Vec<Result<Place, InvokeError>> {
        let handlers: Vec<Deployment> = (0..4).map(|_| deployment(owner)).collect();
        let of = |place: usize| handlers.get(place % handlers.len()).unwrap();
        join_all((0..CONCURRENCY_PER_USER_MAX).map(|place| admission.admit(of(place)))).await
    }

    #[tokio::test]
    async fn with_greedy_users_a_newcomer_gets_places_at_once_and_they_get_429() {
        for (users, newcomer_places) in [(1, 64), (2, 34), (4, 14), (8, 4)] {
            let admission = Admission::new(Arc::default());
            let all = join_all((0..users).map(|_| greedy(&admission, UserId::new()))).await;
            let all: Vec<_> = all.into_iter().flatten().collect();
            for refused in all.iter().filter_map(|admitted| admitted.as_ref().err()) {
                assert!(matches!(refused, InvokeError::Busy { executor_full: false, .. }), "{refused}");
            }
            assert!(admission.running() < CONCURRENCY_PER_EXECUTOR_MAX, "{users}");
            let owner = UserId::new();
            let handlers: Vec<Deployment> = (0..4).map(|_| deployment(owner)).collect();
            let started = Instant::now();
            let mut places = Vec::new();
            for place in 0..newcomer_places {
                let admitted = admission.admit(handlers.get(place % 4).unwrap()).await;
                places.push(admitted.unwrap_or_else(|error| panic!("{users} users, place {place}: {error}")));
            }
            assert!(started.elapsed() < Duration::from_millis(CONCURRENCY_WAIT_MS_MAX));
        }
    }

    #[tokio::test]
    async fn only_an_executor_without_any_place_is_full() {
        let admission = Admission::new(Arc::default());
        let users: Vec<UserId> = (0..CONCURRENCY_PER_EXECUTOR_MAX).map(|_| UserId::new()).collect();
        let mut places = Vec::new();
        for user in users {
            places.push(admission.admit(&deployment(user)).await.unwrap());
        }
        let refused = admission.admit(&deployment(UserId::new())).await.err();
        assert!(matches!(refused, Some(InvokeError::Busy { executor_full: true, .. })));
        drop(places);
        assert_eq!(admission.running(), 0);
    }
}
