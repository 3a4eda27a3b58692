//! So many at once for each user, or each address: one upload must not wait for another user's.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When this many are remembered, those who do nothing are forgotten.
const REMEMBERED_MAX: usize = 1_024;

/// A number of places for each key.
pub(crate) struct Slots<K> {
    each: usize,
    keys: Mutex<HashMap<K, Arc<Semaphore>>>,
}

impl<K: Eq + Hash> Slots<K> {
    pub(crate) fn new(each: usize) -> Slots<K> {
        Slots { each, keys: Mutex::default() }
    }

    /// A place, kept until the permit is dropped; `None` if none became free in time.
    pub(crate) async fn enter(&self, key: K, wait_max: Duration) -> Option<OwnedSemaphorePermit> {
        let places = self.places(key);
        tokio::time::timeout(wait_max, places.acquire_owned()).await.ok()?.ok()
    }

    fn places(&self, key: K) -> Arc<Semaphore> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= REMEMBERED_MAX {
            // Whoever waits or works holds a second reference.
            keys.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(keys.entry(key).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::UserId;

    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_their_own_work_and_for_nobody_elses() {
        let slots = Slots::new(1);
        let (alice, bob) = (UserId::new(), UserId::new());
        let first = slots.enter(alice, Duration::ZERO).await.unwrap();
        assert!(slots.enter(alice, Duration::ZERO).await.is_none());
        assert!(slots.enter(bob, Duration::ZERO).await.is_some());
        drop(first);
        assert!(slots.enter(alice, Duration::ZERO).await.is_some());
    }
}
