//! What is compared: ways to run a module once, in an instance of its own.

mod ours;
mod wasmer_stock;
mod wasmtime_pooling;

use crate::modules::Module;

/// One way to run one module.
pub struct Subject {
    /// Its name in the report.
    pub name: &'static str,
    /// Makes an instance, runs it to its end, drops it.
    pub run_once: Box<dyn Fn() + Sync>,
}

/// Names, in the order of [`all`].
pub const WASMER_STOCK: &str = "wasmer-stock";
/// The executor's run path: store, imports, instance, entry, and what the receipt says of it.
pub const OURS: &str = "wasmcloud";
/// The same, with the request's variables before and the receipt after it.
pub const OURS_INVOCATION: &str = "wasmcloud-invocation";
/// wasmtime with its pool.
pub const WASMTIME_POOLING: &str = "wasmtime-pooling";

/// Compiles a module for every subject and has each run it once.
///
/// # Errors
///
/// A subject cannot run the module.
pub fn all(module: &Module) -> anyhow::Result<Vec<Subject>> {
    let [ours, ours_invocation] = ours::subjects(&module.wasm)?;
    Ok(vec![
        Subject { name: WASMER_STOCK, run_once: wasmer_stock::subject(&module.wasm)? },
        Subject { name: OURS, run_once: ours },
        Subject { name: OURS_INVOCATION, run_once: ours_invocation },
        Subject { name: WASMTIME_POOLING, run_once: wasmtime_pooling::subject(&module.wasm)? },
    ])
}

/// Stops a measurement that would measure failures.
#[expect(clippy::panic, reason = "a benchmark that fails has no other way to say so")]
fn must<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("a run failed: {error:#}"),
    }
}
