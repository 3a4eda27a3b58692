//! What the store knows of modules as objects: which of them are in use, and who is busy with them.

use async_trait::async_trait;
use uuid::Uuid;
use wasmcloud_wire::{Digest, Timestamp};

use super::StoreError;

/// What a process claims, so that others leave it alone: for a time, since it may die.
///
/// Whoever claims compares by its own clock; clocks of one installation may differ by less than the times claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// What it is about.
    pub subject: Subject<'a>,
    /// Who claims it: a new id for each thing that is done.
    pub holder: Uuid,
    /// When others may take it for given up.
    pub expires_at: Timestamp,
}

/// What can be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A module that is being uploaded, together with others who upload it too. Nobody deletes it meanwhile.
    Upload(&'a Digest),
    /// The hourly sweep, alone.
    Sweep,
}

/// How the control plane keeps processes from deleting what another is just uploading.
#[async_trait]
pub trait ModuleStore: Send + Sync {
    /// Claims something; false if somebody holds it who shares it with nobody, or if it is to be held alone and is
    /// held. A claim that a holder has already is prolonged.
    async fn claim(&self, claim: Claim<'_>, now: Timestamp) -> Result<bool, StoreError>;
    /// Of these modules (a hundred at most), claims alone those that no version of a handler refers to which is not
    /// deleted, and that nobody has claimed: they can be deleted, until the claim is over. In one transaction.
    async fn claim_unused(
        &self,
        digests: &[Digest],
        holder: Uuid,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Digest>, StoreError>;
    /// How many of these modules (a hundred at most) were ever part of a version here, be its handler deleted or not.
    async fn count_known(&self, digests: &[Digest]) -> Result<usize, StoreError>;
    /// Gives up everything that a holder has claimed.
    async fn release(&self, holder: Uuid) -> Result<(), StoreError>;
}
