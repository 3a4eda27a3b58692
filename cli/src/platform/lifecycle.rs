//! From the first log line to the last signal.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::failed;
use super::options::{LogFormat, LogOptions};
use crate::failure::Failure;

/// Writes the server's own log to standard error.
pub fn start_logging(options: &LogOptions) -> Result<(), Failure> {
    let filter = options.filter.as_deref().unwrap_or("info");
    // Rocket tells its own story about every request; the API's one line a request has it all.
    let filter =
        EnvFilter::try_new(format!("{},{filter}", wasmcloud_api::LOG_DIRECTIVES)).map_err(|error| {
            failed("log_filter", error, "write it like `info` or `info,wasmcloud_executor=debug`")
        })?;
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let started = match options.format.unwrap_or_default() {
        LogFormat::Human => {
            let colour = std::io::IsTerminal::is_terminal(&std::io::stderr())
                && std::env::var_os("NO_COLOR").is_none();
            builder.with_ansi(colour).with_target(false).try_init()
        }
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| failed("log", error, "report this as a bug"))
}

/// A token that SIGINT and SIGTERM cancel. The second signal ends the process at once.
pub fn until_signal() -> Result<CancellationToken, Failure> {
    let catch = |kind| signal(kind).map_err(|error| failed("signals", error, "report this as a bug"));
    let (mut interrupt, mut terminate) = (catch(SignalKind::interrupt())?, catch(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            if cancelled.is_cancelled() {
                tracing::warn!("{name} again: not waiting any longer");
                std::process::exit(130);
            }
            tracing::info!("{name}: no new connections; finishing what runs (again to stop at once)");
            cancelled.cancel();
        }
    });
    Ok(token)
}
