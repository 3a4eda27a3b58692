//! The front door: the control plane behind a listener.

use std::sync::Arc;

use rocket::config::{Config as RocketConfig, Ident, LogLevel};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, catchers};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::{Settings, Tls};
use wasmcloud_wire::Invoker;

use crate::auth::LoginLimiter;
use crate::bridge::Bridge;
use crate::slots::UserSlots;
use crate::{Core, catchers, routes};

/// Logs that are followed at once; each asks the store once a second.
const FOLLOWERS_MAX: usize = 256;
/// Large bodies that are held in memory at once.
const LARGE_BODIES_MAX: usize = 8;
/// Uploads of one user at once.
const UPLOADS_PER_USER_MAX: usize = 1;
/// Large bodies, other than uploads, of one user at once.
const LARGE_BODIES_PER_USER_MAX: usize = 3;

/// What every route can reach.
pub(crate) struct App {
    pub core: Arc<Core>,
    pub invoker: Arc<dyn Invoker>,
    pub limiter: LoginLimiter,
    pub uploads: UserSlots,
    pub large_bodies_per_user: UserSlots,
    pub large_bodies: Arc<Semaphore>,
    followers: Arc<Semaphore>,
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
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
        }
    }

    /// A place among those who follow logs, if there is one.
    pub(crate) fn followers(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.followers).try_acquire_owned().ok()
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
