//! The two seams between the planes. Each has an implementation within one process and one over
//! HTTPS, and both pass the same tests.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use uuid::Uuid;

use crate::{
    AccountUse, Call, Change, Deployment, Digest, Event, ExecutorReport, HostName, HostRoute, Inspection,
    Record, Refusal, RouteKey,
};

/// An invocation's events, in the order that [`Event`] promises.
pub type EventStream = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// The changes of an installation, for as long as the control plane can be reached.
pub type ChangeStream = Pin<Box<dyn Stream<Item = Change> + Send>>;

/// What the control plane asks of an executor.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// Validates, compiles and warms a module that the control plane stores.
    async fn prepare(&self, digest: &Digest) -> Result<Inspection, PrepareError>;

    /// Runs one invocation. Dropping the stream cancels it.
    async fn invoke(&self, call: Call) -> Result<EventStream, InvokeError>;

    /// Tells of a change that is already committed, and returns once new requests see it.
    ///
    /// The change stream tells every executor too, a moment later; this is what lets a deploy's
    /// answer be true when it arrives. An executor that cannot be reached is no error.
    async fn announce(&self, change: &Change);

    /// Why the executor with this id could not be called, if that was so when it was last tried, lately.
    fn trouble(&self, _executor: Uuid) -> Option<String> {
        None
    }
}

/// What an executor asks of the control plane.
#[async_trait]
pub trait ControlPlane: Send + Sync {
    /// The deployment that an address names; `None` if there is none.
    async fn resolve(&self, key: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError>;

    /// The routes of a host whose ownership is proven; none if it has none. The most specific path comes first.
    async fn routes(&self, host: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError>;

    /// Says that an executor is there, and how it is; to be said again every few seconds.
    async fn report(&self, report: ExecutorReport) -> Result<(), ControlPlaneError>;

    /// Tells what this executor has run for the accounts that used it lately, and learns what all others have run
    /// for them on the same day and in the same minute; to be asked again every few seconds.
    async fn usage(
        &self,
        executor: Uuid,
        used: Vec<AccountUse>,
    ) -> Result<Vec<AccountUse>, ControlPlaneError>;

    /// What changes from now on. The stream begins with [`Change::Resync`] and ends when the
    /// control plane goes away; the executor then asks for another.
    async fn changes(&self) -> Result<ChangeStream, ControlPlaneError>;

    /// Keeps receipts and log lines. A part that is already known is not kept twice. Of a batch that is
    /// [`ControlPlaneError::Refused`], nothing is kept.
    async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError>;

    /// A module's bytes; `None` if it is not stored. The caller checks the digest.
    async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError>;
}

/// Why a module could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The module cannot run here; its owner has to change it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The executor or its way to the module failed; trying again may help.
    #[error("executor unavailable: {0}")]
    Unavailable(String),
}

/// Why an invocation did not begin.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// A concurrency limit stayed hit for as long as an invocation waits.
    #[error("{message}")]
    Busy {
        /// Which limit, and its value.
        message: String,
        /// Whether the executor itself is full (503) or this handler or user is (429).
        executor_full: bool,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// A quota of the account's plan is used up.
    #[error("{message}")]
    OverQuota {
        /// Which quota, its value, and when it resets.
        message: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
    /// The account is suspended; why.
    #[error("{0}")]
    Suspended(String),
    /// The request cannot be put to a program.
    #[error("{0}")]
    BadRequest(String),
    /// The executor or its way to the module failed; trying again may help.
    #[error("executor unavailable: {0}")]
    Unavailable(String),
}

/// Why the control plane did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// It cannot be reached, or its store cannot.
    #[error("control plane unavailable: {0}")]
    Unavailable(String),
    /// It will never take this, however often it is sent.
    #[error("control plane refused it for good: {0}")]
    Refused(String),
    /// It does not take what this executor signs: another service token, or clocks that are too far apart.
    #[error("control plane refused what this executor signed: {0}")]
    Unauthorized(String),
}
