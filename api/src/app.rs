//! What every route can reach, and how much of it at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};
use wasmcloud_plane::Verifier;
use wasmcloud_wire::body::User;
use wasmcloud_wire::{Invoker, UserId};

use crate::auth::{LoginLimiter, Tries};
use crate::bodies::Bodies;
use crate::slots::Slots;
use crate::{ApiError, Core};

/// Logs that are followed at once; each asks the store once a second.
const FOLLOWERS_MAX: usize = 256;
/// Logs that one user follows at once.
const FOLLOWERS_PER_USER_MAX: usize = 20;
/// Lists of the audit log that are made at once, and exports that are written.
const AUDIT_READERS_MAX: usize = 4;
/// Charts that are made at once, and searches: fewer than SQLite has readers, so that one is left for all else.
const SEARCHERS_MAX: usize = 2;
/// How long an answer waits for its turn; an export does not wait.
const HEAVY_WAIT_MAX: Duration = Duration::from_secs(2);

/// What reads so much that a user does it once at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum HeavyRead {
    /// A list of the audit log, in one answer.
    AuditList,
    /// An export of the audit log, as fast as the client takes it.
    AuditExport,
    /// A chart, or a look through a handler's records for those that are wanted.
    Search,
}

impl HeavyRead {
    /// So many at once, of all who are no operators.
    const fn at_once_max(self) -> usize {
        match self {
            HeavyRead::AuditList | HeavyRead::AuditExport => AUDIT_READERS_MAX,
            HeavyRead::Search => SEARCHERS_MAX,
        }
    }

    const fn wait_max(self) -> Duration {
        match self {
            HeavyRead::AuditList | HeavyRead::Search => HEAVY_WAIT_MAX,
            HeavyRead::AuditExport => Duration::ZERO,
        }
    }

    /// There is no place: the user's own read has it, or `others`'.
    fn refused(self, others: bool) -> ApiError {
        let (code, message, retry_s) = match (self, others) {
            (HeavyRead::AuditList, false) => ("too_many_audit_readers", "you read the audit log already", 5),
            (HeavyRead::AuditExport, false) => {
                ("too_many_audit_readers", "you write the audit log to a file already", 5)
            }
            (HeavyRead::AuditList | HeavyRead::AuditExport, true) => {
                ("too_many_audit_readers", "too many users read the audit log", 5)
            }
            (HeavyRead::Search, false) => {
                ("too_many_requests", "another chart or search of yours is being made", 2)
            }
            (HeavyRead::Search, true) => {
                ("too_many_requests", "too many users look at charts or search in records", 2)
            }
        };
        let status = if others { 503 } else { 429 };
        ApiError::new(status, code, message, "try again in a moment").retry_after(retry_s)
    }
}

/// What every route can reach.
pub(crate) struct App {
    pub core: Arc<Core>,
    pub invoker: Arc<dyn Invoker>,
    pub limiter: LoginLimiter,
    pub bodies: Bodies,
    /// Verifies what executors send; without service tokens nobody is one.
    pub verifier: Option<Verifier>,
    followers: Arc<Semaphore>,
    followers_per_user: Slots<UserId>,
    heavy_reads: HeavyReads,
}

impl App {
    /// The control plane, and the way to executors.
    pub(crate) fn new(core: Arc<Core>, invoker: Arc<dyn Invoker>) -> App {
        App {
            verifier: core.config.service_keys.clone().map(Verifier::new),
            core,
            invoker,
            limiter: LoginLimiter::default(),
            bodies: Bodies::default(),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            followers_per_user: Slots::new(FOLLOWERS_PER_USER_MAX),
            heavy_reads: HeavyReads::default(),
        }
    }

    /// Counts a try from an address, such as to log in or to register; 429 if there were too many within a minute, whichever
    /// process they came to; 503 if the store does not answer.
    pub(crate) async fn limit_peer(&self, peer: IpAddr) -> Result<(), ApiError> {
        self.limiter.limit_peer(&self.core, peer).await
    }

    /// Counts a try of some kind for an account, whether or not there is such an account; the same.
    pub(crate) async fn limit(&self, tries: Tries, account: &str) -> Result<(), ApiError> {
        self.limiter.limit(&self.core, tries, account).await
    }

    /// Forgets the tries that a right password has made good.
    pub(crate) async fn forgive_tries(&self, account: &str, peer: IpAddr) {
        self.limiter.forgive(&self.core, account, peer).await;
    }

    /// A place among those who follow logs, if there is one.
    pub(crate) async fn follower(&self, user: UserId) -> Result<[OwnedSemaphorePermit; 2], ApiError> {
        let error = |status, message: String| {
            ApiError::new(status, "too_many_followers", message, "stop following another log").retry_after(30)
        };
        let own = self.followers_per_user.enter(user, Duration::ZERO).await;
        let own =
            own.ok_or_else(|| error(429, format!("you follow {FOLLOWERS_PER_USER_MAX} logs already")))?;
        let shared = Arc::clone(&self.followers).try_acquire_owned();
        let shared = shared.map_err(|_| error(503, "too many logs are being followed".to_owned()))?;
        Ok([own, shared])
    }

    /// A place to read much, if there is one.
    pub(crate) async fn heavy_read(
        &self,
        user: &User,
        read: HeavyRead,
    ) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
        self.heavy_reads.enter(user, read, read.wait_max()).await
    }
}

/// Who reads much: once at a time each, so that a few reads of one user do not take the database from all others.
struct HeavyReads {
    audit_lists: Arc<Semaphore>,
    audit_exports: Arc<Semaphore>,
    searches: Arc<Semaphore>,
    per_user: Slots<(UserId, HeavyRead)>,
}

impl Default for HeavyReads {
    fn default() -> HeavyReads {
        let places = |read: HeavyRead| Arc::new(Semaphore::new(read.at_once_max()));
        HeavyReads {
            audit_lists: places(HeavyRead::AuditList),
            audit_exports: places(HeavyRead::AuditExport),
            searches: places(HeavyRead::Search),
            per_user: Slots::new(1),
        }
    }
}

impl HeavyReads {
    /// A place, after `wait_max` at most; operators wait for no other user.
    async fn enter(
        &self,
        user: &User,
        read: HeavyRead,
        wait_max: Duration,
    ) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
        let until = Instant::now() + wait_max;
        let own = self.per_user.enter((user.id, read), wait_max).await;
        let mut permits = vec![own.ok_or_else(|| read.refused(false))?];
        if !user.is_admin {
            let places = match read {
                HeavyRead::AuditList => &self.audit_lists,
                HeavyRead::AuditExport => &self.audit_exports,
                HeavyRead::Search => &self.searches,
            };
            let shared = timeout_at(until, Arc::clone(places).acquire_owned()).await;
            permits.push(shared.ok().and_then(Result::ok).ok_or_else(|| read.refused(true))?);
        }
        Ok(permits)
    }
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::Timestamp;

    use super::*;

    fn user(name: &str, is_admin: bool) -> User {
        User { id: UserId::new(), name: name.parse().unwrap(), is_admin, created_at: Timestamp(0) }
    }

    #[tokio::test]
    async fn a_user_reads_much_once_at_a_time_and_operators_wait_for_nobody() {
        let reads = HeavyReads::default();
        let enter = async |user: &User, read| {
            reads
                .enter(user, read, Duration::ZERO)
                .await
                .map_err(|error| (error.status, error.code.to_string()))
        };
        let users = ["ada", "bob", "cid", "dan", "eve"].map(|name| user(name, false));
        let root = user("root", true);
        for (read, at_once, code) in [
            (HeavyRead::AuditList, 4, "too_many_audit_readers"),
            (HeavyRead::AuditExport, 4, "too_many_audit_readers"),
            (HeavyRead::Search, 2, "too_many_requests"),
        ] {
            let mut places = Vec::new();
            for user in &users[..at_once] {
                places.push(enter(user, read).await.unwrap());
            }
            assert_eq!(enter(&users[0], read).await.unwrap_err(), (429, code.to_owned()));
            assert_eq!(enter(&users[4], read).await.unwrap_err(), (503, code.to_owned()));
            let place = enter(&root, read).await.unwrap();
            assert_eq!(enter(&root, read).await.unwrap_err(), (429, code.to_owned()));
            drop((place, places.pop()));
            assert!(enter(&users[4], read).await.is_ok());
        }
    }
}
