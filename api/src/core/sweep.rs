//! Modules that nothing refers to: those of deleted handlers, and those of uploads that a crash ended between the
//! bytes and the version. They are deleted once they are old, hourly, by one process of an installation.
//!
//! A module that somebody uploads while it is being deleted must not be lost. Its age alone cannot promise that: the
//! bytes may be put again between the look at their age and the deletion. So both sides claim the module in the
//! store first: an upload before it puts the bytes, until its version is there; whoever deletes, in one transaction with
//! the question whether a version refers to the module, until it is deleted. Each waits for the other or leaves
//! the module alone. What is left of a process that dies is a claim that expires, and bytes that are swept later.
//! The age is a grace besides: a database that is restored from a backup of the last day finds its modules.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_blob::BlobError;
use wasmcloud_wire::{Digest, Timestamp};

use super::Core;
use crate::ApiError;
use crate::store::{Claim, StoreError, Subject};

/// How old an object has to be before it is deleted because nothing refers to it.
pub const ORPHAN_GRACE: Duration = Duration::from_secs(24 * 3_600);
/// How often orphans are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// For how long one process has the sweep for itself: a little less, so that the next hour's is not missed.
const SWEEP_TURN: Duration = Duration::from_secs(3_500);
/// How many objects one sweep deletes at most; the next one goes on.
const DELETIONS_MAX: usize = 10_000;
/// How many modules that were never uploaded here are swept whatever their part is of all that there are: what
/// crashes leave behind. When more than these and more than half of all are such, somebody else's are among them.
const UNKNOWN_MAX: usize = 20;
/// How many modules are asked about at once.
const ASKED_AT_ONCE: usize = 100;
/// How many modules are claimed at once: an upload of one of them waits for the others.
const BATCH: usize = 20;
/// For how long modules are claimed to be deleted.
const DELETION_CLAIM: Duration = Duration::from_secs(120);
/// How long after its claim a batch begins deletions. What is left of the claim is for the last one to end,
/// also in the storage, if it was given up here.
const DELETIONS_WITHIN: Duration = Duration::from_secs(20);
/// For how long an upload claims its module.
const UPLOAD_CLAIM: Duration = Duration::from_secs(3_600);
/// How long an upload may take from its claim to its version, long before the claim ends.
const UPLOAD_MAX: Duration = Duration::from_secs(1_800);
/// How long an upload waits for a deletion of its module to end, and how often it looks.
const CLAIM_WAIT_MAX: Duration = Duration::from_secs(20);
const CLAIM_LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// How many objects there are.
    pub objects: usize,
    /// How many of them nothing referred to; they are deleted.
    pub deleted: usize,
    /// How many bytes those had.
    pub deleted_bytes: u64,
    /// How many unfinished uploads in parts were aborted.
    pub aborted: u64,
}

/// Why a sweep ended early. Nothing is lost by it.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The place for modules failed.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Most of what is there was never uploaded here. Nothing was deleted.
    #[error(
        "{unknown} of {objects} stored modules were never uploaded to this installation, so none is deleted: if \
         another installation has the same place for modules, give each one of its own (--storage, or --data); if \
         not, and the database is the right one, delete there what nobody needs"
    )]
    Foreign {
        /// How many modules no version here ever had.
        unknown: usize,
        /// How many modules there are.
        objects: usize,
    },
}

impl Core {
    /// Deletes orphans, now and every hour, until `shutdown`, if no other process has done so within the hour.
    pub(crate) async fn sweep_modules_until(&self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.take_turn_to_sweep() => {}
            }
        }
    }

    async fn take_turn_to_sweep(&self) {
        let now = Timestamp::now();
        // Not given up when the sweep is over: so nobody else sweeps within the hour.
        let turn =
            Claim { subject: Subject::Sweep, holder: Uuid::new_v4(), expires_at: after(now, SWEEP_TURN) };
        match self.store.claim(turn, now).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "cannot look for modules that nothing refers to"),
        }
        match self.sweep_modules(ORPHAN_GRACE).await {
            Ok(Swept { deleted: 0, aborted: 0, .. }) => {}
            Ok(Swept { objects, deleted, deleted_bytes, aborted }) => {
                tracing::info!(
                    objects,
                    deleted,
                    deleted_bytes,
                    aborted,
                    "deleted modules that nothing refers to"
                );
            }
            Err(error @ SweepError::Foreign { .. }) => tracing::error!(%error, "the sweep stops"),
            Err(error) => tracing::warn!(%error, "cannot delete modules that nothing refers to"),
        }
    }

    /// Deletes what nothing refers to and was put longer ago than `grace`; a bounded number at once.
    pub async fn sweep_modules(&self, grace: Duration) -> Result<Swept, SweepError> {
        let stored = self.blobs.list().await?;
        let mut swept = Swept { objects: stored.len(), ..Swept::default() };
        let old: Vec<_> = stored.iter().filter(|stored| stored.age >= grace).collect();
        let unknown = self.count_unknown(old.iter().map(|stored| stored.digest)).await?;
        if unknown > UNKNOWN_MAX && unknown > stored.len() / 2 {
            return Err(SweepError::Foreign { unknown, objects: stored.len() });
        }
        for batch in old.chunks(BATCH) {
            if swept.deleted >= DELETIONS_MAX {
                break;
            }
            let digests: Vec<Digest> = batch.iter().map(|stored| stored.digest).collect();
            for deleted in self.delete_unused(&digests).await? {
                swept.deleted += 1;
                let size =
                    batch.iter().find(|stored| stored.digest == deleted).map(|stored| stored.size_bytes);
                swept.deleted_bytes += size.unwrap_or_default();
            }
        }
        swept.aborted = self.blobs.abort_unfinished(grace).await?;
        Ok(swept)
    }

    /// How many of these modules no version here ever had.
    async fn count_unknown(&self, digests: impl Iterator<Item = Digest>) -> Result<usize, SweepError> {
        let digests: Vec<Digest> = digests.collect();
        let mut known = 0;
        for asked in digests.chunks(ASKED_AT_ONCE) {
            known += self.store.count_known(asked).await?;
        }
        Ok(digests.len().saturating_sub(known))
    }

    /// Of these modules, deletes those that nothing refers to and nobody is uploading; which they were.
    async fn delete_unused(&self, digests: &[Digest]) -> Result<Vec<Digest>, SweepError> {
        let (now, began, holder) = (Timestamp::now(), Instant::now(), Uuid::new_v4());
        let unused = self.store.claim_unused(digests, holder, after(now, DELETION_CLAIM), now).await?;
        let mut deleted = Vec::new();
        for digest in unused {
            if began.elapsed() > DELETIONS_WITHIN {
                break;
            }
            // After a failure the claim is left to expire: the storage may yet do what was given up here.
            self.blobs.delete(&digest).await?;
            deleted.push(digest);
        }
        self.store.release(holder).await?;
        Ok(deleted)
    }

    /// Deletes the bytes of an upload that came to nothing, unless something else refers to them.
    pub(super) async fn forget_unused(&self, digest: &Digest) {
        if let Err(error) = self.delete_unused(&[*digest]).await {
            tracing::warn!(%digest, %error, "cannot delete a module that nothing refers to");
        }
    }

    /// Does what an upload does with its module, from its bytes to its version, while nobody deletes it.
    pub(super) async fn uploading<T>(
        &self,
        digest: &Digest,
        upload: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<T, ApiError> {
        let holder = Uuid::new_v4();
        self.claim_upload(digest, holder).await?;
        let uploaded = match tokio::time::timeout(UPLOAD_MAX, upload).await {
            Ok(uploaded) => uploaded,
            Err(elapsed) => Err(ApiError::unavailable(elapsed)),
        };
        // One that stays is in nobody's way but the sweeper's, and only for a while.
        if let Err(error) = self.store.release(holder).await {
            tracing::warn!(%digest, %error, "cannot give up an upload's claim of its module");
        }
        uploaded
    }

    async fn claim_upload(&self, digest: &Digest, holder: Uuid) -> Result<(), ApiError> {
        let began = Instant::now();
        loop {
            let now = Timestamp::now();
            let claim =
                Claim { subject: Subject::Upload(digest), holder, expires_at: after(now, UPLOAD_CLAIM) };
            if self.store.claim(claim, now).await? {
                return Ok(());
            }
            if began.elapsed() > CLAIM_WAIT_MAX {
                return Err(ApiError::storage_unavailable(format!("{digest} is being deleted")));
            }
            tokio::time::sleep(CLAIM_LOOK_EVERY).await;
        }
    }
}

fn after(now: Timestamp, time: Duration) -> Timestamp {
    Timestamp(now.0.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}
