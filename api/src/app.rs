//! What every route can reach, and how much of it at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
/// How long a list waits for its turn; an export does not wait.
const AUDIT_WAIT_MAX: Duration = Duration::from_secs(2);

/// How the audit log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum AuditRead {
    /// A list, in one answer.
    List,
    /// An export, as fast as the client takes it.
    Export,
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
    audit_readers: AuditReaders,
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
            audit_readers: AuditReaders::default(),
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

    /// A place among those who read the audit log, if there is one.
    pub(crate) async fn audit_reader(
        &self,
        user: &User,
        read: AuditRead,
    ) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
        self.audit_readers.enter(user, read).await
    }
}

/// Who reads the audit log: once at a time each.
struct AuditReaders {
    all: Slots<AuditRead>,
    per_user: Slots<(UserId, AuditRead)>,
    /// How long a list waits.
    wait_max: Duration,
}

impl Default for AuditReaders {
    fn default() -> AuditReaders {
        AuditReaders { all: Slots::new(AUDIT_READERS_MAX), per_user: Slots::new(1), wait_max: AUDIT_WAIT_MAX }
    }
}

impl AuditReaders {
    /// A place; operators wait for no other user.
    async fn enter(&self, user: &User, read: AuditRead) -> Result<Vec<OwnedSemaphorePermit>, ApiError> {
        let (wait, whose) = match read {
            AuditRead::List => (self.wait_max, "you read the audit log already"),
            AuditRead::Export => (Duration::ZERO, "you write the audit log to a file already"),
        };
        let error = |status, message| {
            ApiError::new(status, "too_many_audit_readers", message, "try again in a moment").retry_after(5)
        };
        let own = self.per_user.enter((user.id, read), wait).await;
        let mut permits = vec![own.ok_or_else(|| error(429, whose))?];
        if !user.is_admin {
            let shared = self.all.enter(read, wait).await;
            permits.push(shared.ok_or_else(|| error(503, "too many users read the audit log"))?);
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
    async fn a_user_lists_once_at_a_time_and_operators_wait_for_nobody() {
        let readers = AuditReaders { wait_max: Duration::ZERO, ..AuditReaders::default() };
        let enter = async |user: &User, read| readers.enter(user, read).await.map_err(|error| error.status);
        let users = ["ada", "bob", "cid", "dan", "eve"].map(|name| user(name, false));
        let root = user("root", true);
        for read in [AuditRead::List, AuditRead::Export] {
            let mut places = Vec::new();
            for user in &users[..4] {
                places.push(enter(user, read).await.unwrap());
            }
            assert_eq!(enter(&users[0], read).await.unwrap_err(), 429);
            assert_eq!(enter(&users[4], read).await.unwrap_err(), 503);
            let place = enter(&root, read).await.unwrap();
            assert_eq!(enter(&root, read).await.unwrap_err(), 429);
            drop((place, places.pop()));
            assert!(enter(&users[4], read).await.is_ok());
        }
    }
}
