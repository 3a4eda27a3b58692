//! The front door: the control plane behind a listener.

use std::sync::Arc;

use rocket::config::{Config as RocketConfig, Ident, LogLevel};
use rocket::local::asynchronous::Client;
use rocket::{Build, Rocket, catchers};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wasmcloud_listener::{Settings, Tls};
use wasmcloud_wire::Invoker;

use crate::app::App;
use crate::bridge::Bridge;
use crate::{Core, catchers, routes};

/// Directives for the log's filter that silence Rocket. It writes to the `log` crate, whatever level
/// it is told, once another logger is there: every request with its query, and every guard that
/// fails, the latter in the name of the module that the route is in. The bridge has one line for
/// each request, and our own routes log nothing themselves. The verifier of certificates says its error in the
/// log too, without whose it is; whoever made the connection does so with the address.
///
/// PostgreSQL's notices tell at every start that its tables are there already. And where a parameter of a database's
/// URL is not known, its value is shown, which may be a password; `store/sql/connect.rs` warns of it instead.
pub const LOG_DIRECTIVES: &str = "rocket=off,wasmcloud_api::routes=off,\
    rustls_platform_verifier=off,sqlx::postgres::notice=warn,sqlx_postgres::options::parse=off";

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
    let app = Arc::new(App::new(Arc::clone(&core), Arc::clone(&invoker)));
    let client = Client::untracked(rocket(Arc::clone(&app)))
        .await
        .map_err(|error| ServeError::Routes(error.to_string()))?;
    let bridge = Arc::new(Bridge::new(client, app));
    let settings = Settings { trusted_proxies: core.config.trusted_proxies.clone(), ..Settings::default() };
    let serving = wasmcloud_listener::serve(listener, tls, settings, shutdown.clone(), {
        move |request, peer| Arc::clone(&bridge).answer(request, peer)
    });
    let closing = async {
        shutdown.cancelled().await;
        core.closing.cancel();
    };
    let sweeping = core.sweep_fleet_until(shutdown.clone());
    let sweeping_modules = core.sweep_modules_until(shutdown.clone());
    let watching = core.watch_until(&invoker, shutdown.clone());
    let feeding = core.feed_until(shutdown.clone());
    let sweeping = async { tokio::join!(sweeping, sweeping_modules) };
    tokio::join!(serving, closing, feeding, sweeping, core.prune_until(shutdown.clone()), watching);
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
    let has_internal = app.core.config.service_keys.is_some();
    let rocket = rocket::custom(config)
        .manage(app)
        .mount("/", routes::root())
        .mount("/api/v1", routes::api())
        .register("/", catchers![catchers::any]);
    if has_internal { rocket.mount("/internal/v1", routes::internal()) } else { rocket }
}
