//! What every route can reach, and how much of it at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmcloud_plane::Verifier;
use wasmcloud_wire::{Invoker, UserId};

use crate::auth::LoginLimiter;
use crate::bodies::Bodies;
use crate::slots::Slots;
use crate::{ApiError, Core};

/// Logs that are followed at once; each asks the store once a second.
const FOLLOWERS_MAX: usize = 256;
/// Logs that one user follows at once.
const FOLLOWERS_PER_USER_MAX: usize = 20;
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
        }
    }

    /// Counts a try from an address, such as to log in or to register; 429 if there were too many within a minute, whichever
    /// process they came to; 503 if the store does not answer.
    pub(crate) async fn limit_peer(&self, peer: IpAddr) -> Result<(), ApiError> {
        self.limiter.limit_peer(&self.core, peer).await
    }

    /// Counts a try for an account, whether or not there is such an account; the same.
    pub(crate) async fn limit_account(&self, account: &str) -> Result<(), ApiError> {
        self.limiter.limit_account(&self.core, account).await
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
}
