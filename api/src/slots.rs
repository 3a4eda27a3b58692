//! So many at once for each user: one upload must not wait for another user's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_wire::UserId;

/// When this many users are remembered, those who do nothing are forgotten.
const USERS_REMEMBERED_MAX: usize = 1_024;

/// A number of places for each user.
pub(crate) struct UserSlots {
    each: usize,
    users: Mutex<HashMap<UserId, Arc<Semaphore>>>,
}

impl UserSlots {
    pub(crate) fn new(each: usize) -> UserSlots {
        UserSlots { each, users: Mutex::default() }
    }

    /// A place, kept until the permit is dropped; `None` if none became free in time.
    pub(crate) async fn enter(&self, user: UserId, wait_max: Duration) -> Option<OwnedSemaphorePermit> {
        let places = self.places(user);
        tokio::time::timeout(wait_max, places.acquire_owned()).await.ok()?.ok()
    }

    fn places(&self, user: UserId) -> Arc<Semaphore> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= USERS_REMEMBERED_MAX {
            // Whoever waits or works holds a second reference.
            users.retain(|_, places| Arc::strong_count(places) > 1);
        }
        Arc::clone(users.entry(user).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_waits_for_their_own_work_and_for_nobody_elses() {
        let slots = UserSlots::new(1);
        let (alice, bob) = (UserId::new(), UserId::new());
        let first = slots.enter(alice, Duration::ZERO).await.unwrap();
        assert!(slots.enter(alice, Duration::ZERO).await.is_none());
        assert!(slots.enter(bob, Duration::ZERO).await.is_some());
        drop(first);
        assert!(slots.enter(alice, Duration::ZERO).await.is_some());
    }
}
