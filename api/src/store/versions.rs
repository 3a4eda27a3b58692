//! What the store is told, and tells, of how handlers come to serve their versions.

use async_trait::async_trait;
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{
    HandlerId, HandlerName, LimitName, Outcome, Receipt, Split, Timestamp, Trigger, UserId, VersionNumber,
};

use super::{Fits, HandlerRow, NewModule, OverQuota, StoreError, Unfit};

/// What an owner does to the version that a handler serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Makes a version live, and ends a split.
    Promote(VersionNumber),
    /// Lets a version answer a part of the clients.
    Split(Split),
    /// Lets a version answer no part of the clients any more. No error if it does not.
    EndSplit(VersionNumber),
    /// Undoes the last step: ends a split if there is one, else makes the version live that was so before.
    Rollback,
}

/// What became of a [`Move`].
#[derive(Clone, Debug)]
pub enum MoveResult {
    /// It is done.
    Moved {
        /// The handler as it is now.
        row: Box<HandlerRow>,
        /// The split that this ended.
        ended: Option<Split>,
    },
    /// The user has no such handler.
    HandlerNotFound,
    /// The handler has no such version.
    VersionNotFound(VersionNumber),
    /// The version is live, so it cannot answer a part beside the live version.
    IsLive(VersionNumber),
    /// No other version was live before this one.
    NoPrevious(VersionNumber),
    /// The version does not fit the handler's policy or settings; nothing changed.
    Refused(VersionNumber, Unfit),
}

/// What became of a version that was to be added without being live.
#[derive(Clone, Debug)]
pub enum AddPreview {
    /// It is there, by this number.
    Added(Box<HandlerRow>, VersionNumber),
    /// The user has no such handler.
    HandlerNotFound,
    /// It does not fit the handler's policy or settings; nothing changed.
    Refused(Unfit),
    /// The account's plan does not allow it; nothing changed.
    OverQuota(OverQuota),
}

/// What a version is to its handler that cannot be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// It is live.
    Live,
    /// It was live before: a rollback would bring it back.
    Previous,
    /// It answers a part of the clients.
    Split,
}

/// What became of a version that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteVersion {
    /// It is gone.
    Deleted,
    /// The user has no such handler.
    HandlerNotFound,
    /// The handler has no such version.
    VersionNotFound,
    /// The handler needs it.
    Needed(Needed),
}

/// In which way a version is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newness {
    /// It became live.
    Promoted,
    /// It answers a part of the clients.
    Split,
}

/// A version that is watched, since it is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedVersion {
    /// The handler.
    pub handler: HandlerId,
    /// Its name.
    pub name: HandlerName,
    /// Whose it is.
    pub owner: UserId,
    /// In which way it is new.
    pub newness: Newness,
    /// The version.
    pub new: VersionNumber,
    /// The version that answers if this one is taken back.
    pub old: VersionNumber,
    /// When it became new.
    pub since: Timestamp,
}

/// How a version's requests ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that count: see [`program_failed`].
    pub requests: u64,
    /// Those of them that the program failed.
    pub failed: u64,
}

/// What became of a version that was to be taken back.
#[derive(Clone, Debug)]
pub enum TakeBack {
    /// It is taken back; the handler as it is now.
    Done(Box<HandlerRow>),
    /// Things are not as they were when it was decided; nothing changed.
    Overtaken,
    /// The other version does not fit the handler's policy or settings; nothing changed.
    Refused(Unfit),
}

/// What the control plane does with versions after their upload.
#[async_trait]
pub trait VersionStore: Send + Sync {
    /// Does one step, in one atomic move, if the version that it brings in `fits` the handler's policy and
    /// settings.
    async fn move_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        step: Move,
        now: Timestamp,
        fits: &Fits<'_>,
    ) -> Result<MoveResult, StoreError>;
    /// Adds a version, if its module `fits` the handler's policy and settings, and leaves the live one as it is.
    async fn add_preview(
        &self,
        owner: UserId,
        name: &HandlerName,
        module: NewModule,
        fits: &Fits<'_>,
    ) -> Result<AddPreview, StoreError>;
    /// Deletes a version that is neither live, nor was so before, nor answers a part of the clients. Its number is not
    /// given out again.
    async fn delete_version(
        &self,
        owner: UserId,
        name: &HandlerName,
        version: VersionNumber,
    ) -> Result<DeleteVersion, StoreError>;
    /// Changes whether new versions that fail are taken back.
    async fn set_auto_rollback(
        &self,
        owner: UserId,
        name: &HandlerName,
        on: bool,
    ) -> Result<Option<HandlerRow>, StoreError>;
    /// Versions that became live since then, in place of one with a smaller number; and those that answer a part
    /// of the clients, whenever that began. Of handlers that want it only.
    async fn watched(&self, promoted_since: Timestamp) -> Result<Vec<WatchedVersion>, StoreError>;
    /// How the newest requests of a version that began since then ended, at most `most` of them.
    async fn tally(
        &self,
        handler: HandlerId,
        version: VersionNumber,
        since: Timestamp,
        most: u32,
    ) -> Result<Tally, StoreError>;
    /// Takes a version back, if it is still what it was when it was seen by [`VersionStore::watched`] and the other
    /// one `fits`; with it, and once, this line of the platform's goes into the handler's log.
    async fn take_back(
        &self,
        watched: &WatchedVersion,
        why: &RolledBack,
        line: &str,
        fits: &Fits<'_>,
    ) -> Result<TakeBack, StoreError>;
}

/// Whether a program failed an invocation; `None` where that says nothing about the program: it was no request to
/// the handler's address, or the client or the platform is to blame.
pub fn program_failed(receipt: &Receipt) -> Option<bool> {
    if receipt.trigger != Trigger::Edge {
        return None;
    }
    is_failure(receipt)
}

/// Whether an invocation failed, whatever asked for it; `None` if it was the client or the platform that did.
pub fn is_failure(receipt: &Receipt) -> Option<bool> {
    match receipt.outcome {
        Outcome::Ok => Some(receipt.status.is_some_and(|status| status >= 500)),
        Outcome::Limit { limit: LimitName::Request, .. }
        | Outcome::Cancelled
        | Outcome::Suspended
        | Outcome::Internal { .. } => None,
        Outcome::Exit { .. }
        | Outcome::Trap { .. }
        | Outcome::Limit { .. }
        | Outcome::Denied { .. }
        | Outcome::BadOutput { .. } => Some(true),
    }
}
