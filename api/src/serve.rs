//! The front door: the control plane behind a listener.

use std::sync::Arc;
use std::time::Duration;

use rocket::config::{Config as RocketConfig, Ident, LogLevel};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, catchers};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::{Settings, Tls};
use wasmcloud_wire::{Invoker, UserId};

use crate::auth::LoginLimiter;
use crate::bridge::Bridge;
use crate::slots::UserSlots;
use crate::{ApiError, Core, catchers, routes};

/// Logs that are followed at once; each asks the store once a second.
const FOLLOWERS_MAX: usize = 256;
/// Logs that one user follows at once.
const FOLLOWERS_PER_USER_MAX: usize = 20;
/// Modules and requests to be invoked that are held in memory at once.
const LARGE_BODIES_MAX: usize = 8;
/// Batches of records that are held in memory at once; users' bodies cannot keep them out.
const RECORD_BODIES_MAX: usize = 4;
/// Other bodies of more than a few KiB, which hardly anybody needs, that are held in memory at once.
const MEDIUM_BODIES_MAX: usize = 64;
/// Uploads of one user at once.
const UPLOADS_PER_USER_MAX: usize = 1;
/// Large bodies, other than uploads, of one user at once.
const LARGE_BODIES_PER_USER_MAX: usize = 3;

/// Directives for the log's filter that silence Rocket. It writes to the `log` crate, whatever level
/// it is told, once another logger is there: every request with its query, and every guard that
/// fails, the latter in the name of the module that the route is in. The bridge has one line for
/// each request, and our own routes log nothing themselves.
pub const LOG_DIRECTIVES: &str = "rocket=off,wasmcloud_api::routes=off";

/// What every route can reach.
pub(crate) struct App {
    pub core: Arc<Core>,
    pub invoker: Arc<dyn Invoker>,
    pub limiter: LoginLimiter,
    pub uploads: UserSlots,
    pub large_bodies_per_user: UserSlots,
    pub large_bodies: Arc<Semaphore>,
    pub record_bodies: Arc<Semaphore>,
    pub medium_bodies: Arc<Semaphore>,
    followers: Arc<Semaphore>,
    followers_per_user: UserSlots,
}

impl App {
    fn new(core: Arc<Core>, invoker: Arc<dyn Invoker>) -> App {
        App {
            core,
            invoker,
            limiter: LoginLimiter::default(),
            uploads: UserSlots::new(UPLOADS_PER_USER_MAX),
            large_bodies_per_user: UserSlots::new(LARGE_BODIES_PER_USER_MAX),
            large_bodies: Arc::new(Semaphore::new(LARGE_BODIES_MAX)),
            record_bodies: Arc::new(Semaphore::new(RECORD_BODIES_MAX)),
            medium_bodies: Arc::new(Semaphore::new(MEDIUM_BODIES_MAX)),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
            followers_per_user: UserSlots::new(FOLLOWERS_PER_USER_MAX),
        }
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

/// Why the API did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The routes contradict each other.
    #[error("the API's routes cannot be set up: {0}")]
    Routes(String),
}

/// Serves the API until `shutdown`; returns when all requests are answered. Log followers and
/// change streams end when the shutdown begins.
pub async fn serve(
    core: Arc<Core>,
    invoker: Arc<dyn Invoker>,
    listener: TcpListener,
    tls: Option<Tls>,
    shutdown: CancellationToken,
) -> Result<(), ServeError> {
    let app = Arc::new(App::new(Arc::clone(&core), invoker));
    let client = Client::untracked(rocket(Arc::clone(&app)))
        .await
        .map_err(|error| ServeError::Routes(error.to_string()))?;
    let bridge = Arc::new(Bridge::new(client, app));
    let serving = wasmcloud_listener::serve(listener, tls, Settings::default(), shutdown.clone(), {
        move |request, peer| Arc::clone(&bridge).answer(request, peer)
    });
    let closing = async {
        shutdown.cancelled().await;
        core.closing.cancel();
    };
    tokio::join!(serving, closing, core.prune_until(shutdown.clone()));
    Ok(())
}

fn rocket(app: Arc<App>) -> Rocket<Build> {
    let mut config = RocketConfig {
        // Whoever wants to be taken for another address need only say so; nobody is asked.
        ip_header: None,
        ident: Ident::none(),
        log_level: LogLevel::Off,
        cli_colors: false,
        ..RocketConfig::release_default()
    };
    // Signals are the binary's to handle.
    config.shutdown.ctrlc = false;
    config.shutdown.signals.clear();
    let has_internal = app.core.config.service_token.is_some();
    let rocket = rocket::custom(config)
        .manage(app)
        .mount("/", routes::root())
        .mount("/api/v1", routes::api())
        .register("/", catchers![catchers::any]);
    if has_internal { rocket.mount("/internal/v1", routes::internal()) } else { rocket }
}
