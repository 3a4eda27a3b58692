//! Wakes whoever follows a handler's log. The lines themselves are read from the store, after the
//! follower's own position: so nothing is lost or doubled when a follower is slow.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;
use wasmcloud_wire::HandlerId;

/// One waker for each handler that is followed; their number is bounded by that of the followers.
#[derive(Default)]
pub(crate) struct LogHub {
    wakers: Mutex<HashMap<HandlerId, watch::Sender<()>>>,
}

impl LogHub {
    /// A receiver that changes when the handler has new records.
    pub(crate) fn follow(&self, handler: HandlerId) -> watch::Receiver<()> {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        wakers.retain(|_, waker| waker.receiver_count() > 0);
        wakers.entry(handler).or_insert_with(|| watch::Sender::new(())).subscribe()
    }

    /// Wakes the handler's followers.
    pub(crate) fn wake(&self, handler: HandlerId) {
        let wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = wakers.get(&handler) {
            waker.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_followers_of_the_handler_wake() {
        let hub = LogHub::default();
        let (mine, other) = (HandlerId::new(), HandlerId::new());
        let mut follower = hub.follow(mine);
        hub.wake(other);
        assert!(!follower.has_changed().unwrap());
        hub.wake(mine);
        follower.changed().await.unwrap();
    }

    #[test]
    fn a_handler_that_nobody_follows_any_more_is_forgotten() {
        let hub = LogHub::default();
        drop(hub.follow(HandlerId::new()));
        let _follower = hub.follow(HandlerId::new());
        assert_eq!(hub.wakers.lock().unwrap().len(), 1);
    }
}
