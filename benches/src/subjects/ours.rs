//! The executor.

use std::hint::black_box;
use std::sync::Arc;

use wasmcloud_executor::bench::Prepared;

use super::must;

type Run = Box<dyn Fn() + Sync>;

pub(super) fn subjects(wasm: &[u8]) -> anyhow::Result<[Run; 2]> {
    let prepared = Arc::new(Prepared::new(wasm).map_err(|error| anyhow::anyhow!(error))?);
    let again = prepared.clone();
    Ok([
        Box::new(move || {
            black_box(must(prepared.run_once()));
        }),
        Box::new(move || {
            black_box(must(again.invoke_once()));
        }),
    ])
}
