//! Tells those who follow what changed, whichever process changed it: the database knows.

use tokio_util::sync::CancellationToken;
use wasmcloud_wire::Change;

use super::{CHANGES_MAX, Core};
use crate::store::StoreError;

/// How many changes are read at once.
const CHANGES_PER_READ: u32 = 200;
/// How far behind it is cheaper for executors to ask for everything they know. The store keeps many more.
const BEHIND_MAX: i64 = CHANGES_MAX as i64 / 2;

impl Core {
    /// Sends every change of this and of other processes to those who follow [`Core`]'s changes, until `shutdown`.
    pub(crate) async fn feed_until(&self, shutdown: CancellationToken) {
        let mut watch = self.store.watch_changes();
        let mut feed = Feed { core: self, position: self.changes_from, lost: false };
        loop {
            feed.look().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changed.notified() => {}
                () = watch.wait() => {}
            }
        }
    }
}

struct Feed<'a> {
    core: &'a Core,
    /// The last change that was told.
    position: i64,
    /// Whether the database did not answer when it was last asked.
    lost: bool,
}

impl Feed<'_> {
    async fn look(&mut self) {
        match self.tell_new().await {
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.lost, true) {
                    tracing::warn!(%error, "cannot see what changes: executors go on with what they know");
                }
            }
        }
    }

    async fn tell_new(&mut self) -> Result<(), StoreError> {
        let last = self.core.store.last_change().await?;
        let behind = last.saturating_sub(self.position);
        // A database that was away, or that has gone back, may be another one: a copy that was restored, or a
        // replica that did not have everything yet.
        if self.lost || !(0..=BEHIND_MAX).contains(&behind) {
            self.tell(Change::Resync);
            self.position = last;
            if std::mem::replace(&mut self.lost, false) {
                tracing::info!("changes are seen again: executors ask for everything they know");
            }
            return Ok(());
        }
        while self.position < last {
            let changes = self.core.store.changes_after(self.position, CHANGES_PER_READ).await?;
            let Some(newest) = changes.last().map(|change| change.position) else { break };
            let mut told: Vec<&Change> = Vec::new();
            for change in changes.iter().map(|change| &change.record) {
                if !told.contains(&change) {
                    told.push(change);
                    self.tell(change.clone());
                }
            }
            self.position = newest;
        }
        Ok(())
    }

    fn tell(&self, change: Change) {
        // No receiver is no error: nobody follows yet.
        let _ = self.core.changes.send(change);
    }
}
