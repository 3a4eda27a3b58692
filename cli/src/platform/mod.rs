//! The server's commands: `serve`, `api`, `executor`, and those on its data: `migrate`, `export`, `import`. The only place
//! where both planes meet.

pub mod api;
pub mod executor;
pub mod export;
mod first_start;
pub mod import;
mod lifecycle;
pub mod migrate;
mod open_files;
mod options;
mod passphrase;
pub mod serve;
mod storage;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::failure::Failure;

pub use options::{Common, Range};

/// Runs a server to its end in a runtime of its own.
pub fn block_on(
    common: &Common,
    server: impl AsyncFnOnce(CancellationToken) -> Result<(), Failure>,
) -> Result<(), Failure> {
    lifecycle::start_logging(&common.log)?;
    open_files::allow_many();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Failure, "system", format!("cannot start: {error}"), "close other programs")
    })?;
    let result = runtime.block_on(async {
        let shutdown = lifecycle::until_signal()?;
        server(shutdown).await
    });
    // What blocks a thread after the drain must not keep the process.
    runtime.shutdown_background();
    result
}

/// A server's failure to start, in one line.
fn failed(code: &str, error: impl std::fmt::Display, hint: &str) -> Failure {
    Failure::new(Exit::Failure, code, error.to_string(), hint)
}

/// What an executor is called: unique, and the same for all that one process runs.
fn worker_id() -> String {
    format!("executor-{}", uuid::Uuid::now_v7().simple())
}

/// Starts an executor over a control plane.
fn start_executor(
    storage: &storage::DataDir,
    limits: &options::LimitOptions,
    egress: wasmcloud_executor::egress::Egress,
    engine: &options::EngineOptions,
    control: Arc<dyn wasmcloud_wire::ControlPlane>,
) -> Result<Arc<wasmcloud_executor::Executor>, Failure> {
    let settings = wasmcloud_executor::Settings {
        cache_dir: storage.path().join("compiled"),
        worker_id: worker_id(),
        limits_max: limits.limits()?.max,
        compiler: wasmcloud_executor::Compiler::Child(this_program()?, limits.compile_budget()?),
        egress,
        gemini_dir: storage.path().join("gemini-hosts"),
        wasi_http_3: engine.wasi_http_3(),
    };
    wasmcloud_executor::Executor::start(settings, control).map_err(|error| {
        failed("cache", error, "make the folder writable, or name another data directory with --data")
    })
}

/// This very program, which compiles modules in children of its own kind.
fn this_program() -> Result<std::path::PathBuf, Failure> {
    // On Linux the running file itself, whatever has become of its path since: an upgrade must not
    // let a newer compiler's code into this process.
    let running = std::path::PathBuf::from("/proc/self/exe");
    if running.exists() {
        return Ok(running);
    }
    std::env::current_exe()
        .map_err(|error| failed("system", error, "start wasmcloud by a path that stays where it is"))
}
