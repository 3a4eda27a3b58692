//! Statuses, pointers and lengths that nobody should pass.

use std::sync::Arc;

use bytes::Bytes;
use wasmcloud_wire::{Call, Event, Invoker, Outcome};

use super::super::calls::{FUNCTIONS, SNAPSHOT, UNSTABLE, call, one_of};
use super::*;
use crate::allocations::largest_allocation;
use crate::app::{TestExecutor, call as call_of};
use crate::invoker::events;
use crate::local::{a_run, ran};
use crate::wasm::wat;

#[tokio::test]
async fn a_program_ends_with_whatever_status_it_gives() {
    for module in [SNAPSHOT, UNSTABLE] {
        for status in [0, 1, 3, 125, 126, 255, -1, i32::MIN] {
            let module = wat(&format!(
                r#"(module (import "{module}" "proc_exit" (func $exit (param i32))) (memory (export "memory") 1)
                     (func (export "_start") (call $exit (i32.const {status})) (unreachable)))"#
            ));
            let expected = if status == 0 { Outcome::Ok } else { Outcome::Exit { status } };
            assert_eq!(ran(a_run(&module)).await.receipt.outcome, expected);
        }
    }
}

/// Calls of every function with numbers that no pointer and no length should have.
fn absurd_calls() -> Vec<String> {
    let mut calls = Vec::new();
    for (name, types) in FUNCTIONS {
        for value in [-1, 0x7fff_fff0, 65_528] {
            let all = vec![value; types.len()];
            let mut kinds = vec![all.clone()];
            for fd in [0, 1, 3] {
                let mut with_fd = all.clone();
                if let Some(first) = with_fd.first_mut() {
                    *first = fd;
                }
                let mut with_pointer = with_fd.clone();
                if let Some(second) = with_pointer.get_mut(1) {
                    *second = 4096;
                }
                kinds.extend([with_fd, with_pointer]);
            }
            kinds.sort();
            kinds.dedup();
            calls.extend(kinds.iter().map(|arguments| call(name, arguments)));
        }
    }
    calls
}

/// Most calls under way at once.
const AT_ONCE: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_passed_to_a_function_it_fails_or_traps_and_nothing_is_allocated_for_it() {
    let calls = Arc::new(absurd_calls());
    assert!(calls.len() > 500, "{}", calls.len());
    let app = Arc::new(TestExecutor::start().await);
    for files in [Vec::new(), shipped()] {
        let module = one_of(&calls);
        let module = if files.is_empty() {
            module
        } else {
            wasmcloud_inspect::files::append(&module, &files).unwrap()
        };
        let deployment = app.deploy("hello", &module).await;
        app.executor.prepare(&deployment.digest).await.unwrap();
        let tasks = (0..AT_ONCE).map(|first| {
            let (app, calls, deployment) = (app.clone(), calls.clone(), deployment.clone());
            tokio::spawn(async move {
                for number in (first..calls.len()).step_by(AT_ONCE) {
                    let body = Bytes::copy_from_slice(&(number as u16).to_le_bytes());
                    let events = events(&app, Call { body: Some(body), ..call_of(&deployment, "/") }).await;
                    let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
                    let outcome = &receipt.outcome;
                    assert!(
                        matches!(outcome, Outcome::Ok | Outcome::Trap { .. }),
                        "{}: {outcome:?}",
                        calls[number]
                    );
                    assert!(receipt.host_calls.len() >= 2, "{}: {:?}", calls[number], receipt.host_calls);
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
    }
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}

#[tokio::test]
async fn lengths_that_a_programs_memory_has_room_for_are_served_or_refused_and_never_copied_whole() {
    // Each of these names 100 MiB, which are there.
    let bytes = 100 << 20;
    let calls: String = [
        call("path_open", &[3, 0, 0, bytes, 0, 0, 0, 0, bytes + 4096]),
        call("path_create_directory", &[3, 0, bytes]),
        call("path_unlink_file", &[3, 0, bytes]),
        call("path_symlink", &[0, bytes, 3, 0, bytes]),
        call("path_rename", &[3, 0, bytes, 3, 0, bytes]),
        call("path_readlink", &[3, 0, bytes, 0, bytes, bytes + 4096]),
        call("poll_oneoff", &[0, 0, 2_000_000, bytes + 4096]),
        call("fd_readdir", &[3, 0, bytes, 0, bytes + 4096]),
    ]
    .map(|call| format!("(drop {call})"))
    .concat();
    let imports = super::super::calls::imports(SNAPSHOT);
    let text =
        format!(r#"(module {imports} (memory (export "memory") 1601) (func (export "_start") {calls}))"#);
    for files in [Vec::new(), shipped()] {
        let module = wat(&text);
        let module = if files.is_empty() {
            module
        } else {
            wasmcloud_inspect::files::append(&module, &files).unwrap()
        };
        let ran = ran(a_run(&module)).await;
        assert_eq!(ran.receipt.outcome, Outcome::Ok, "{:?}", ran.lines);
    }
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}

#[tokio::test]
async fn a_large_buffer_is_written_and_filled_with_random_bytes_in_one_call() {
    // 20 MiB: more than the host copies at once.
    let bytes = 20 << 20;
    let text = format!(
        r#"(module {}  (memory (export "memory") 400)
          (func (export "_start") (local $at i32) (local $left i32)
            (if (call $random_get (i32.const 4096) (i32.const {bytes})) (then (unreachable)))
            (if (i64.eqz (i64.load (i32.const {last}))) (then (unreachable)))
            (memory.fill (i32.const 4096) (i32.const 120) (i32.const {bytes}))
            (local.set $at (i32.const 4096))
            (local.set $left (i32.const {bytes}))
            (loop $more
              (i32.store (i32.const 0) (local.get $at))
              (i32.store (i32.const 4) (local.get $left))
              (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))
              (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
              (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
              (br_if $more (local.get $left)))))"#,
        super::super::calls::imports(SNAPSHOT),
        last = 4096 + bytes - 8,
    );
    let ran = ran(a_run(&wat(&text))).await;
    assert_eq!(ran.receipt.outcome, Outcome::Ok, "{:?}", ran.lines);
    assert_eq!(ran.bytes.len(), bytes);
}
