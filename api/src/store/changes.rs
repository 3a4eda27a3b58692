//! What the store tells of changes, whichever process made them.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use wasmcloud_wire::Change;

use super::{Positioned, StoreError};

/// How often to look for changes where nothing says that there are any.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often to look all the same where something says so.
const LOOK_ANYWAY_EVERY: Duration = Duration::from_secs(5);

/// The changes that executors have to know of. The database keeps them itself, in the transaction of what
/// changes, so that none is forgotten.
#[async_trait]
pub trait ChangeStore: Send + Sync {
    /// The last change's position; 0 if there never was one.
    async fn last_change(&self) -> Result<i64, StoreError>;

    /// Changes after a position, in the order of their commits, at most `limit`. One that this program does
    /// not understand is [`Change::Resync`]: it may be of anything.
    async fn changes_after(&self, position: i64, limit: u32) -> Result<Vec<Positioned<Change>>, StoreError>;

    /// Begins to listen for changes that other processes make, until the watch is dropped.
    fn watch_changes(&self) -> ChangeWatch;
}

/// What is known of the database's notifications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Counts whatever may mean that there are changes.
    pub count: u64,
    /// Whether notifications arrive: it was tried.
    pub arrives: bool,
}

/// Says when it is time to look for changes. It says so too often rather than too rarely.
#[derive(Debug)]
pub struct ChangeWatch(Option<watch::Receiver<Heard>>);

impl ChangeWatch {
    /// For a store that no other process writes to.
    pub fn of_one_process() -> ChangeWatch {
        ChangeWatch(None)
    }

    /// Hears what another task says. The task may end when nobody hears it any more.
    pub fn of(heard: watch::Receiver<Heard>) -> ChangeWatch {
        ChangeWatch(Some(heard))
    }

    /// Waits until there may be changes of other processes.
    pub async fn wait(&mut self) {
        let pause = match self.arrives() {
            true => LOOK_ANYWAY_EVERY,
            false => LOOK_EVERY,
        };
        let heard = async {
            let gone = match &mut self.0 {
                Some(heard) => heard.changed().await.is_err(),
                None => true,
            };
            if gone {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(pause, heard).await;
    }

    /// Whether there is no need to look often.
    pub fn arrives(&self) -> bool {
        self.0.as_ref().is_none_or(|heard| heard.borrow().arrives)
    }
}
