//! The pool under guests of the WASI family: nothing of a run is ever seen by another.

use std::sync::Arc;

use wasmcloud_wire::{Deployment, Event, Invoker, Outcome};

use crate::app::{TestExecutor, call};
use crate::invoker::events;
use crate::kinds::{Kind, Parts, WASI_KINDS};

const THREADS: u64 = 4;
/// Runs of all threads together.
const RUNS: u64 = 4_000;

/// A program that ends with status 1 unless its memory, its globals and its table are as its text says: `secret`
/// at 8192, and nothing from 8448 to 32768 and beyond 65536. Then it fills everything with the secret's bytes, and
/// pages beyond what it began with.
fn canary(kind: Kind, secret: &str) -> Vec<u8> {
    let items = format!(
        r#"(data (i32.const 8192) "{secret}")
           (global $seen (mut i64) (i64.const 7))
           (table $table 4 50 funcref)
           (elem $own declare func $nothing)
           (func $nothing)
           (func $wrong (call $end (i32.const 1)) (unreachable))
           (func $is_zero (param $at i32) (param $end i32)
             (loop $more
               (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then (call $wrong)))
               (local.set $at (i32.add (local.get $at) (i32.const 8)))
               (br_if $more (i32.lt_u (local.get $at) (local.get $end)))))"#
    );
    let first = i64::from_le_bytes(secret.as_bytes()[..8].try_into().unwrap());
    let start = format!(
        "(if (i64.ne (i64.load (i32.const 8192)) (i64.const {first})) (then (call $wrong)))
         (call $is_zero (i32.const 8448) (i32.const 32768))
         (if (i32.ne (memory.size) (i32.const 2)) (then (call $wrong)))
         (call $is_zero (i32.const 65536) (i32.const 131072))
         (if (i32.ne (memory.grow (i32.const 38)) (i32.const 2)) (then (call $wrong)))
         (call $is_zero (i32.const 131072) (i32.const 2621440))
         (if (i64.ne (global.get $seen) (i64.const 7)) (then (call $wrong)))
         (if (i32.ne (table.size $table) (i32.const 4)) (then (call $wrong)))
         (if (i32.ne (table.grow $table (ref.null func) (i32.const 40)) (i32.const 4)) (then (call $wrong)))
         (loop $more
           (if (i32.eqz (ref.is_null (table.get $table (local.get $i)))) (then (call $wrong)))
           (table.set $table (local.get $i) (ref.func $nothing))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 44))))
         (global.set $seen (i64.const {first}))
         (memory.fill (i32.const 8192) (i32.const {byte}) (i32.const 24576))
         (memory.fill (i32.const 65536) (i32.const {byte}) (i32.const 2555904))
         (call $put (i32.const 1024) (i32.const 6))",
        byte = secret.as_bytes()[0],
    );
    kind.of(Parts { memory: "2", data: "A: b\n\n", items: &items, start: &start })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_runs_of_two_tenants_see_nothing_of_each_other() {
    let app = Arc::new(TestExecutor::start().await);
    let mut tenants: Vec<Deployment> = Vec::new();
    for kind in WASI_KINDS {
        for (tenant, secret) in [("one", "one tenant's secret"), ("other", "the secret of another")] {
            let handler = format!("{}-{tenant}", kind.name());
            tenants.push(app.deploy(&handler, &canary(kind, secret)).await);
            app.executor.prepare(&tenants[tenants.len() - 1].digest).await.unwrap();
        }
    }
    let tenants = Arc::new(tenants);
    let threads = (0..THREADS).map(|thread| {
        let (app, tenants) = (app.clone(), tenants.clone());
        tokio::spawn(async move {
            for run in 0..RUNS / THREADS {
                let tenant = &tenants[((run * 7 + thread * 3) % tenants.len() as u64) as usize];
                let events = events(&app, call(tenant, "/")).await;
                let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
                assert_eq!(
                    receipt.outcome,
                    Outcome::Ok,
                    "run {run} of thread {thread}, {}",
                    receipt.abi.as_str()
                );
            }
        })
    });
    for thread in futures::future::join_all(threads).await {
        thread.unwrap();
    }
}
