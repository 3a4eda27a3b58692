//! Every limit, over every kind of program and so over both engines: what the client gets, what
//! the receipt says, and the line with the function at fault and the way to raise the limit.

use wasmcloud_wire::{Invoker, Level, LimitName, Limits, Outcome, PrepareError, Source};

use crate::app::TestExecutor;
use crate::client::Answer;
use crate::control::Recorded;
use crate::kinds::{ALL_KINDS, KINDS, Kind, Parts};
use crate::limits::assert_hit;

/// More than any test lets a program spend.
const ENDLESS_GAS: u64 = u64::MAX >> 1;
/// How long after its limit a program may still be on its way out, on a machine that is busy.
const OVERTIME_US: u64 = 2_000_000;
const SPIN: &str = "(func $spin (loop $more (br $more)))";

/// Asks a program of each kind that speaks CGI once.
async fn all(
    program: impl Fn(Kind) -> Vec<u8>,
    adjust: impl Fn(Kind, &mut Limits),
) -> Vec<(Kind, Answer, Recorded)> {
    of(&KINDS, program, adjust).await
}

/// Asks a program of each of these kinds once.
async fn of(
    kinds: &[Kind],
    program: impl Fn(Kind) -> Vec<u8>,
    adjust: impl Fn(Kind, &mut Limits),
) -> Vec<(Kind, Answer, Recorded)> {
    let app = TestExecutor::start().await;
    let mut all = Vec::new();
    for kind in kinds.iter().copied() {
        let adjust = |limits: &mut Limits| adjust(kind, limits);
        let (answer, recorded) = app.try_out(kind.name(), &program(kind), adjust).await;
        eprintln!(
            "{kind:?}: {} in {} us: {}",
            answer.status, recorded.receipt.wall_us, recorded.receipt.outcome
        );
        all.push((kind, answer, recorded));
    }
    all
}

/// Gas and CPU time enough for whatever the test does.
fn enough(_: Kind, limits: &mut Limits) {
    limits.gas = ENDLESS_GAS;
    limits.cpu_ms = 30_000;
}

/// Programs that never end, in their entry and before it.
fn endless(kind: Kind) -> [Vec<u8>; 2] {
    let before = format!("{SPIN} (start $spin)");
    [
        kind.of(Parts { items: SPIN, start: "(call $spin)", ..Parts::default() }),
        kind.of(Parts { items: &before, ..Parts::default() }),
    ]
}

#[tokio::test]
async fn an_endless_loop_ends_when_its_gas_or_its_cpu_time_is_spent() {
    for place in 0..2 {
        let adjust = |kind, limits: &mut Limits| match kind {
            Kind::Olin => limits.gas = 1_000_000,
            _ => limits.cpu_ms = 60,
        };
        for (kind, answer, recorded) in of(&ALL_KINDS, |kind| endless(kind)[place].clone(), adjust).await {
            let (limit, said) = match kind {
                Kind::Olin => {
                    (LimitName::Gas, ["killed by gas limit: 1000000 of 1000000, in spin", "--gas 2000000"])
                }
                _ => (LimitName::Cpu, ["killed by cpu limit: 0.060 of 0.060 s, in spin", "--cpu-ms 120"]),
            };
            assert_hit(&answer, &recorded, 504, limit, &said);
            let raise = format!("raise it: wasmcloud policy set {}", kind.name());
            recorded.line(&raise);
            if kind != Kind::Olin {
                assert!(recorded.receipt.cpu_us >= 60_000, "{kind:?}: {} us", recorded.receipt.cpu_us);
            }
        }
    }
}

#[tokio::test]
async fn an_endless_loop_with_gas_and_cpu_time_enough_ends_when_its_time_is_over() {
    for place in 0..2 {
        let adjust = |kind, limits: &mut Limits| {
            enough(kind, limits);
            limits.wall_ms = 200;
        };
        for (kind, answer, recorded) in of(&ALL_KINDS, |kind| endless(kind)[place].clone(), adjust).await {
            let said = ["killed by wall limit: 0.200 of 0.200 s, in spin", "--wall-ms 400"];
            assert_hit(&answer, &recorded, 504, LimitName::Wall, &said);
            let wall_us = recorded.receipt.wall_us;
            assert!((200_000..200_000 + OVERTIME_US).contains(&wall_us), "{kind:?}: {wall_us} us");
        }
    }
}

#[tokio::test]
async fn a_host_call_that_waits_ends_when_the_time_is_over() {
    let waits = |kind: Kind| kind.program("", "(call $wait (i32.const 3600000))");
    for (kind, answer, recorded) in of(&ALL_KINDS, waits, |_, limits| limits.wall_ms = 200).await {
        assert_hit(&answer, &recorded, 504, LimitName::Wall, &["killed by wall limit: 0.200 of 0.200 s"]);
        let wall_us = recorded.receipt.wall_us;
        assert!((200_000..200_000 + OVERTIME_US).contains(&wall_us), "{kind:?}: {wall_us} us");
    }
}

#[tokio::test]
async fn a_program_that_is_nearly_always_within_a_host_call_ends_when_its_time_is_over() {
    let calls = |kind: Kind| {
        let call = match kind {
            Kind::Olin => "(call $err (i32.const 4096) (i32.const 16384))",
            _ => "(call $err (i32.const 4096) (i32.const 4096))",
        };
        kind.program("", &format!("(loop $more {call} (br $more))"))
    };
    let adjust = |kind, limits: &mut Limits| {
        enough(kind, limits);
        limits.wall_ms = 200;
    };
    for (kind, answer, recorded) in all(calls, adjust).await {
        assert_hit(&answer, &recorded, 504, LimitName::Wall, &["0.200"]);
        assert!(
            recorded.receipt.wall_us < 200_000 + OVERTIME_US,
            "{kind:?}: {} us",
            recorded.receipt.wall_us
        );
    }
}

#[tokio::test]
async fn deep_recursion_hits_the_stack_limit_and_others_go_on() {
    let app = TestExecutor::start().await;
    for kind in ALL_KINDS {
        let descends = kind.of(Parts {
            items: "(func $descend (param $depth i64) (result i64)
                      (i64.add (call $descend (i64.add (local.get $depth) (i64.const 1))) (local.get $depth)))",
            start: "(drop (call $descend (i64.const 0)))",
            ..Parts::default()
        });
        let (answer, recorded) = app.try_out(kind.name(), &descends, |_| ()).await;
        // wasmer does not tell where a stack ended.
        let place = if kind == Kind::Olin { "" } else { ", in descend" };
        let said = ["killed by stack limit: 1 MiB", place, "use less recursion"];
        assert_hit(&answer, &recorded, 502, LimitName::Stack, &said);
        let (answer, _) = app.try_out("other", &Kind::Wasi.prints("A: b\n\nfine"), |_| ()).await;
        assert_eq!(answer.text(), "fine", "{kind:?}");
    }
}

/// Grows something until that fails, and answers with a digit: how much there is, less `less`.
fn grows(kind: Kind, items: &str, grow: &str, size: &str, less: u32) -> Vec<u8> {
    let start = format!(
        "(loop $more (br_if $more (i32.ne {grow} (i32.const -1))))
         (i32.store8 (i32.const 1030) (i32.add (i32.const 48) (i32.sub {size} (i32.const {less}))))
         (call $put (i32.const 1024) (i32.const 7))"
    );
    kind.of(Parts { data: "A: b\n\n?", items, start: &start, ..Parts::default() })
}

#[tokio::test]
async fn memory_grows_to_the_limit_and_then_growing_fails_and_the_log_says_so() {
    let hog = |kind| grows(kind, "", "(memory.grow (i32.const 1))", "(memory.size)", 0);
    let five_pages = 5 * 65_536;
    for (kind, answer, recorded) in all(hog, |_, limits| limits.memory_bytes = five_pages + 7).await {
        assert_eq!((answer.status, answer.text()), (200, "5"), "{kind:?}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
        assert_eq!(recorded.receipt.memory_peak_bytes, five_pages, "{kind:?}");
        let line = recorded.line("memory limit: growing to 393216 of 327687 bytes was refused");
        assert_eq!((line.source, line.level), (Source::Platform, Level::WARNING), "{kind:?}");
        assert!(
            line.text.contains(&format!("policy set {} --memory-bytes 655374", kind.name())),
            "{}",
            line.text
        );
    }
}

#[tokio::test]
async fn a_programs_own_maximum_is_told_as_no_limit() {
    let hog = |kind: Kind| {
        kind.of(Parts {
            memory: "1 4",
            start: "(drop (memory.grow (i32.const 9))) (unreachable)",
            ..Parts::default()
        })
    };
    for (kind, _, recorded) in all(hog, |_, limits| limits.memory_bytes = 131_072).await {
        let log = recorded.texts().join("\n");
        assert!(!log.contains("memory limit"), "{kind:?}: {log}");
    }
}

#[tokio::test]
async fn a_memory_that_begins_above_a_lowered_limit_is_a_limit_that_was_hit() {
    let large = |kind: Kind| kind.of(Parts { memory: "2", ..Parts::default() });
    for (kind, answer, recorded) in of(&ALL_KINDS, large, |_, limits| limits.memory_bytes = 65_536).await {
        let raise = format!("raise it: wasmcloud policy set {} --memory-bytes 262144", kind.name());
        assert_hit(&answer, &recorded, 502, LimitName::Memory, &["131072", "65536", &raise]);
    }
}

#[tokio::test]
async fn a_memory_or_tables_that_begin_above_the_executors_limits_are_refused_at_the_upload() {
    let app = TestExecutor::start().await;
    for kind in ALL_KINDS {
        for (parts, numbers) in [
            (Parts { memory: "2049", ..Parts::default() }, ["134283264", "134217728"]),
            (Parts { items: "(table 20001 funcref)", ..Parts::default() }, ["20001", "20000"]),
        ] {
            let digest = app.deploy(kind.name(), &kind.of(parts)).await.digest;
            match app.executor.prepare(&digest).await {
                Err(PrepareError::Refused(refusal)) => {
                    assert_eq!(refusal.code, "over_limit", "{kind:?}");
                    for number in numbers {
                        assert!(
                            refusal.message.contains(number),
                            "{kind:?}: {number} in {}",
                            refusal.message
                        );
                    }
                }
                other => panic!("{kind:?}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn tables_grow_to_the_limit_and_then_growing_fails() {
    let grow = "(table.grow $table (ref.null func) (i32.const 100))";
    let hog = |kind| grows(kind, "(table $table 1 funcref)", grow, "(table.size $table)", 196);
    for (kind, answer, recorded) in all(hog, |_, limits| limits.table_elements = 250).await {
        assert_eq!(answer.text(), "5", "{kind:?}: 201 elements");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_response_limit() {
    let endless = |kind: Kind| {
        kind.prints_then("A: b\n\n", "(loop $more (call $put (i32.const 4096) (i32.const 60000)) (br $more))")
    };
    let adjust = |kind, limits: &mut Limits| {
        enough(kind, limits);
        limits.response_bytes = 1 << 20;
    };
    for (kind, answer, recorded) in all(endless, adjust).await {
        assert_eq!((answer.status, answer.complete), (200, false), "{kind:?}");
        assert!(answer.body.len() <= 1 << 20, "{kind:?}: {}", answer.body.len());
        assert_hit(&answer, &recorded, 200, LimitName::Response, &["1048576 bytes", "response_bytes"]);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_from_the_beginning_is_refused_whole() {
    let adjust = |_, limits: &mut Limits| limits.response_bytes = 1_000;
    for output in ["A: b\nContent-Length: 1001\n\n".to_owned(), format!("A: b\n\n{}", "x".repeat(1_001))] {
        for (_, answer, recorded) in all(|kind| kind.prints(&output), adjust).await {
            assert_hit(&answer, &recorded, 502, LimitName::Response, &["1000 bytes"]);
        }
    }
    let output = format!("A: b\n\n{}", "x".repeat(1_000));
    for (kind, answer, _) in all(|kind| kind.prints(&output), adjust).await {
        assert_eq!((answer.status, answer.body.len()), (200, 1_000), "{kind:?}");
    }
}

#[tokio::test]
async fn endless_standard_error_is_cut_at_the_log_limit_and_the_program_goes_on() {
    let floods = |kind: Kind| {
        kind.prints_then(
            "A: b\n\nlogged",
            "(memory.fill (i32.const 4096) (i32.const 121) (i32.const 32768))
             (loop $more
               (call $err (i32.const 4096) (i32.const 32768))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $i) (i32.const 100))))",
        )
    };
    for (kind, answer, recorded) in all(floods, enough).await {
        assert_eq!((answer.text(), recorded.receipt.outcome.clone()), ("logged", Outcome::Ok), "{kind:?}");
        let bytes: usize = recorded.lines.iter().map(|line| line.text.len()).sum();
        assert!(bytes < 300_000, "{kind:?}: {bytes}");
        let line = recorded.line("limit of 262144 bytes");
        assert_eq!((line.source, line.level), (Source::Platform, Level::WARNING), "{kind:?}");
        assert!(recorded.receipt.log_lines_dropped > 0, "{kind:?}");
    }
}

#[tokio::test]
async fn empty_lines_of_the_standard_error_are_limited_in_number() {
    let floods = |kind: Kind| {
        kind.program("", "(memory.fill (i32.const 4096) (i32.const 10) (i32.const 32768)) (call $err (i32.const 4096) (i32.const 32768))")
    };
    for (kind, _, recorded) in all(floods, enough).await {
        recorded.line("limit of 2000 lines");
        // The cut itself, and that there was no answer.
        assert_eq!(recorded.lines.len(), 2_002, "{kind:?}");
    }
}

#[tokio::test]
async fn what_the_standard_error_brings_to_the_log_cannot_drive_a_terminal() {
    let writes = |kind: Kind| {
        kind.program(
            "control \u{1b}[31m\u{7} characters\nfirst\nunfinished",
            "(call $err (i32.const 1024) (i32.const 42))",
        )
    };
    for (kind, _, recorded) in all(writes, enough).await {
        let own = recorded.lines.iter().filter(|line| line.source == Source::Stderr);
        let own: Vec<&str> = own.map(|line| line.text.as_str()).collect();
        assert_eq!(own, ["control \\x1b[31m\\x07 characters", "first", "unfinished"], "{kind:?}");
    }
}

#[tokio::test]
async fn a_receipt_stays_small_whatever_a_module_calls_its_functions() {
    let name = "x".repeat(50_000);
    let traps = |kind: Kind| {
        let (items, start) = (format!("(func ${name} (unreachable))"), format!("(call ${name})"));
        kind.of(Parts { items: &items, start: &start, ..Parts::default() })
    };
    for (kind, answer, recorded) in all(traps, enough).await {
        assert_eq!(answer.status, 502, "{kind:?}");
        let Outcome::Trap { message } = &recorded.receipt.outcome else {
            panic!("{kind:?}: {:?}", recorded.receipt.outcome)
        };
        assert!(message.len() < 400, "{kind:?}: {} bytes", message.len());
        assert!(recorded.lines.iter().all(|line| line.text.len() < 400), "{kind:?}");
    }
}
