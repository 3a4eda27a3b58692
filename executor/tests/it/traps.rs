//! Both engines in one process: each catches its own guests' traps, and nobody else's.

use std::sync::Arc;

use wasmcloud_wire::{Deployment, Event, Invoker, LimitName, Outcome};

use crate::app::{TestExecutor, call};
use crate::invoker::events;
use crate::kinds::{KINDS, Kind, Parts};

/// Threads, each with requests of its own, and how many requests each has.
const THREADS: usize = 4;
const ROUNDS: usize = 60;

/// What guests do, and how that is told: `None` for a program that is well.
const DEEDS: [(&str, &str, Option<&str>); 7] = [
    ("well", "(call $put (i32.const 1024) (i32.const 10))", None),
    ("unreachable", "(unreachable)", Some("unreachable")),
    ("beyond", "(drop (i32.load (i32.const 65536)))", Some("out of bounds memory access")),
    ("far", "(i64.store (i32.const -1) (i64.const 1))", Some("out of bounds memory access")),
    ("division", "(drop (i32.div_s (i32.const 1) (local.get $i)))", Some("divide by zero")),
    (
        "overflow",
        "(drop (i32.div_s (i32.const 0x80000000) (i32.sub (local.get $i) (i32.const 1))))",
        Some("overflow"),
    ),
    ("deep", "(drop (call $descend (i64.const 0)))", Some("stack")),
];

fn program(kind: Kind, start: &str) -> Vec<u8> {
    let items = "(func $descend (param $depth i64) (result i64)
        (i64.add (call $descend (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))";
    kind.of(Parts { data: "A: b\n\nwell", items, start, ..Parts::default() })
}

/// Whether it ended as this deed does.
fn check(kind: Kind, name: &str, told: Option<&str>, outcome: &Outcome) {
    let right = match (told, outcome) {
        (None, Outcome::Ok) => true,
        (Some("stack"), Outcome::Limit { limit: LimitName::Stack, message }) => {
            // wasmer does not tell where a stack ended.
            kind == Kind::Olin || message.contains("in descend")
        }
        (Some(told), Outcome::Trap { message }) => message.contains(told) && message.contains("_start"),
        _ => false,
    };
    assert!(right, "{kind:?} {name}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_engines_trap_side_by_side_and_every_program_is_told_its_own_end() {
    let app = Arc::new(TestExecutor::start().await);
    let mut all: Vec<(Kind, usize, Deployment)> = Vec::new();
    for kind in KINDS {
        for (deed, (name, start, _)) in DEEDS.iter().enumerate() {
            let handler = format!("{}-{name}", kind.name());
            all.push((kind, deed, app.deploy(&handler, &program(kind, start)).await));
            app.executor.prepare(&all[all.len() - 1].2.digest).await.unwrap();
        }
    }
    let all = Arc::new(all);
    let threads = (0..THREADS).map(|thread| {
        let (app, all) = (app.clone(), all.clone());
        tokio::spawn(async move {
            for round in 0..ROUNDS * DEEDS.len() * KINDS.len() {
                // Every thread goes its own way through all of them.
                let (kind, deed, deployment) = &all[(round * (2 * thread + 1) + thread) % all.len()];
                let (name, _, told) = DEEDS[*deed];
                let events = events(&app, call(deployment, "/")).await;
                let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
                check(*kind, name, told, &receipt.outcome);
            }
        })
    });
    for thread in futures::future::join_all(threads).await {
        thread.unwrap();
    }
}
