//! What receipts say that programs of every kind used: the same fields, with the same meaning.

use std::collections::BTreeMap;

use bytes::Bytes;
use wasmcloud_wire::{Call, Deployment, Event, Outcome, Receipt};

use crate::app::{TestExecutor, WORKER_ID, call};
use crate::invoker::events;
use crate::kinds::{KINDS, Kind, Parts};

async fn receipt(app: &TestExecutor, deployment: &Deployment, adjust: impl FnOnce(&mut Call)) -> Receipt {
    let mut call = call(deployment, "/some/path?query");
    adjust(&mut call);
    let events = events(app, call).await;
    let Some(Event::End { receipt }) = events.last() else { panic!("{events:?}") };
    (**receipt).clone()
}

/// Works a little, so that it takes a time that can be measured, and echoes.
fn works(kind: Kind) -> Vec<u8> {
    kind.of(Parts {
        memory: "3",
        data: "Content-Type: text/plain\n\n",
        start: "(loop $more
                  (local.set $i (i32.add (local.get $i) (i32.const 1)))
                  (br_if $more (i32.lt_u (local.get $i) (i32.const 1000000))))
                (call $put (i32.const 1024) (i32.const 26))
                (local.set $n (call $take (i32.const 4096) (i32.const 1000)))
                (call $put (i32.const 4096) (local.get $n))
                (call $err (i32.const 1024) (i32.const 26))
                (drop (memory.grow (i32.const 2)))",
        ..Parts::default()
    })
}

#[tokio::test]
async fn a_receipt_of_every_kind_says_what_was_used() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let deployment = app.deploy(kind.name(), &works(kind)).await;
        let receipt = receipt(&app, &deployment, |call| call.body = Some(Bytes::from_static(b"four"))).await;
        assert_eq!((&receipt.outcome, receipt.status), (&Outcome::Ok, Some(200)), "{kind:?}");
        assert_eq!(
            (receipt.handler, receipt.digest),
            (Some(deployment.handler), deployment.digest),
            "{kind:?}"
        );
        assert_eq!((receipt.abi, receipt.executor.as_str()), (deployment.abi, WORKER_ID), "{kind:?}");
        assert_eq!((receipt.method.as_str(), receipt.path.as_str()), ("GET", "/some/path"), "{kind:?}");
        assert_eq!((receipt.bytes_in, receipt.bytes_out), (4, 30), "{kind:?}");
        assert_eq!(receipt.memory_peak_bytes, 5 * 65_536, "{kind:?}");
        assert_eq!((receipt.log_lines, receipt.log_lines_dropped), (2, 0), "{kind:?}");
        assert!(receipt.wall_us > 0, "{kind:?}");
        // Instructions are counted on one engine, time is measured on the other.
        match kind {
            Kind::Olin => assert!(receipt.gas > 5_000_000 && receipt.cpu_us == 0, "{receipt:?}"),
            _ => assert!(receipt.gas == 0 && (100..5_000_000).contains(&receipt.cpu_us), "{receipt:?}"),
        }
        let calls: BTreeMap<&str, u64> =
            receipt.host_calls.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let expected = match kind {
            Kind::Olin => BTreeMap::from([
                ("io_get_stderr", 1),
                ("io_get_stdin", 1),
                ("io_get_stdout", 1),
                ("resource_read", 1),
                ("resource_write", 3),
            ]),
            Kind::Wasi => BTreeMap::from([("fd_read", 1), ("fd_write", 3)]),
            Kind::Component | Kind::Http => BTreeMap::from([
                ("wasi:cli/stderr", 1),
                ("wasi:cli/stdin", 1),
                ("wasi:cli/stdout", 1),
                ("wasi:io/streams", 4),
            ]),
        };
        assert_eq!(calls, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn instructions_are_counted_on_request_and_are_the_same_at_every_run() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let deployment = app.deploy(kind.name(), &works(kind)).await;
        let mut counts = Vec::new();
        for _ in 0..3 {
            let counted = receipt(&app, &deployment, |call| call.count_gas = true).await;
            assert_eq!(counted.outcome, Outcome::Ok, "{kind:?}");
            counts.push(counted.gas);
        }
        assert!(counts[0] > 3_000_000, "{kind:?}: {counts:?}");
        assert!(counts.iter().all(|count| *count == counts[0]), "{kind:?}: {counts:?}");
        // And not when nobody asks.
        let plain = receipt(&app, &deployment, |_| ()).await;
        assert_eq!(plain.gas > 0, kind == Kind::Olin, "{kind:?}");
    }
}

#[tokio::test]
async fn a_run_that_counts_ends_when_its_gas_is_spent() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let endless = Parts {
            items: "(func $spin (loop $more (br $more)))",
            start: "(call $spin)",
            ..Parts::default()
        };
        let mut deployment = app.deploy(kind.name(), &kind.of(endless)).await;
        deployment.limits.gas = 1_000_000;
        let receipt = receipt(&app, &deployment, |call| call.count_gas = true).await;
        let Outcome::Limit { message, .. } = &receipt.outcome else {
            panic!("{kind:?}: {:?}", receipt.outcome)
        };
        for part in ["killed by gas limit: 1000000 of 1000000, in spin", "--gas 2000000"] {
            assert!(message.contains(part), "{kind:?}: {part} in {message}");
        }
        assert_eq!(receipt.gas, 1_000_000, "{kind:?}");
    }
}
