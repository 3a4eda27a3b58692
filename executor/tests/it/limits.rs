//! Limits: what ends a program, what the client gets, and what the log and the receipt say.

use futures::future::join_all;
use wasmcloud_wire::{Level, LimitName, Limits, Outcome, Source};

use crate::app::TestExecutor;
use crate::client::Answer;
use crate::control::Recorded;
use crate::wasm::{fixture, imports, prints, prints_then, program, wat};

/// More than any test lets a program spend.
const ENDLESS: u64 = u64::MAX >> 1;

async fn limited(module: &[u8], adjust: impl FnOnce(&mut Limits)) -> (Answer, Recorded) {
    TestExecutor::start().await.try_out("hello", module, adjust).await
}

/// The invocation was ended by this limit; the message is in the log and not in the answer.
pub fn assert_hit(answer: &Answer, recorded: &Recorded, status: u16, limit: LimitName, parts: &[&str]) {
    let Outcome::Limit { limit: hit, message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    assert_eq!((*hit, answer.status, recorded.receipt.status), (limit, status, Some(status)), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} in {message:?}");
    }
    let line = recorded.line(message);
    assert_eq!((line.source, line.level), (Source::Platform, Level::ERROR));
    if !answer.body.is_empty() && status >= 500 {
        assert_eq!(answer.error().code, "limit");
        assert!(!answer.text().contains(message));
    }
}

#[tokio::test]
async fn an_endless_loop_ends_when_its_gas_is_spent() {
    for (module, function) in [("infinite_loop", "spin"), ("infinite_loop_in_start", "spin")] {
        let (answer, recorded) = limited(&fixture(module), |limits| limits.gas = 1_000_000).await;
        let said = [
            "killed by gas limit: 1000000 of 1000000",
            function,
            "raise it: wasmcloud policy set",
            "hello --gas 2000000",
        ];
        assert_hit(&answer, &recorded, 504, LimitName::Gas, &said);
        assert_eq!(recorded.receipt.gas, 1_000_000);
    }
}

#[tokio::test]
async fn an_endless_loop_with_gas_enough_ends_when_its_time_is_over() {
    for module in ["infinite_loop", "infinite_loop_in_start"] {
        let (answer, recorded) = limited(&fixture(module), |limits| {
            limits.gas = ENDLESS;
            limits.wall_ms = 300;
        })
        .await;
        let said = ["killed by wall limit: 0.300 of 0.300 s, in spin", "--wall-ms 600"];
        assert_hit(&answer, &recorded, 504, LimitName::Wall, &said);
        assert!(recorded.receipt.wall_us >= 300_000);
    }
}

#[tokio::test]
async fn a_sleep_ends_when_the_time_is_over() {
    let app = TestExecutor::start().await;
    app.deploy_with("hello", &fixture("sleeper"), |deployment| deployment.limits.wall_ms = 300).await;
    let answer = app.get("hello", "/?600000").await;
    let recorded = app.recorded(&answer).await;
    assert_hit(&answer, &recorded, 504, LimitName::Wall, &["0.300"]);
}

#[tokio::test]
async fn a_program_that_is_nearly_always_within_a_host_call_ends_when_its_time_is_over() {
    let data = "random://null://log://Q";
    let again = |open: &str, call: &str| {
        program(data, &format!("(local.set $out {open}) (loop $more (drop {call}) (br $more))"))
    };
    let page = "(i32.const 0) (i32.const 65536)";
    for module in [
        again(
            "(call $open (i32.const 1024) (i32.const 9))",
            &format!("(call $read (local.get $out) {page})"),
        ),
        again(
            "(call $open (i32.const 1033) (i32.const 7))",
            &format!("(call $write (local.get $out) {page})"),
        ),
        again("(call $stderr)", &format!("(call $write (local.get $out) {page})")),
        again("(i32.const 0)", "(call $get (i32.const 0) (i32.const 60000) (i32.const 0) (i32.const 0))"),
        again("(i32.const 0)", "(call $open (i32.const 0) (i32.const 8000))"),
    ] {
        let (answer, recorded) = limited(&module, |limits| {
            limits.gas = ENDLESS;
            limits.wall_ms = 200;
        })
        .await;
        assert_hit(&answer, &recorded, 504, LimitName::Wall, &["0.200"]);
        assert!(recorded.receipt.wall_us < 5_000_000, "{} us", recorded.receipt.wall_us);
    }
}

#[tokio::test]
async fn killing_programs_that_call_the_host_all_the_time_leaves_nothing_locked() {
    let app = TestExecutor::start().await;
    let calls = program("", "(loop $more (drop (call $arg_len)) (br $more))");
    app.deploy_with("calls", &calls, |deployment| {
        deployment.limits.gas = ENDLESS;
        deployment.limits.wall_ms = 20;
    })
    .await;
    app.deploy("other", &prints("A: b\n\nunhurt")).await;
    for _ in 0..12 {
        let killed = join_all((0..8).map(|_| app.get("calls", "/")));
        let (killed, other) = tokio::join!(killed, app.get("other", "/"));
        assert!(killed.iter().all(|answer| answer.status == 504));
        assert_eq!(other.text(), "unhurt");
    }
}

#[tokio::test]
async fn a_program_that_is_killed_has_spent_what_it_executed() {
    let app = TestExecutor::start().await;
    let module = program(
        "begun",
        "(call $log (i32.const 6) (i32.const 1024) (i32.const 5)) (call $sleep (i32.const 1))
         (loop $forever (br $forever))",
    );
    app.deploy_with("hello", &module, |deployment| deployment.limits.gas = ENDLESS).await;
    let mut client = app.connect().await;
    client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
    app.control.logged("begun", 1).await;
    drop(client);
    let receipt = app
        .control
        .until("it ends", |state| state.records.iter().find_map(|record| record.receipt.clone()))
        .await;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    // Not nothing, and far from all that it was given.
    assert!((1..1_000_000_000_000_000).contains(&receipt.gas), "{}", receipt.gas);
}

#[tokio::test]
async fn bulk_instructions_end_when_the_time_is_over() {
    let forever = |what: &str| {
        wat(&format!(
            r#"(module (memory (export "memory") 1024) (table 20000 funcref)
              (func (export "_start") (loop $more {what} (br $more))))"#
        ))
    };
    for module in [
        forever("(memory.fill (i32.const 0) (i32.const 7) (i32.const 67108864))"),
        forever("(memory.copy (i32.const 1) (i32.const 0) (i32.const 67108863))"),
        forever("(table.fill (i32.const 0) (ref.null func) (i32.const 20000))"),
        forever("(drop (memory.grow (i32.const 0)))"),
        forever("(drop (table.grow (ref.null func) (i32.const 0)))"),
    ] {
        let (answer, recorded) = limited(&module, |limits| {
            limits.gas = ENDLESS;
            limits.wall_ms = 200;
        })
        .await;
        assert_hit(&answer, &recorded, 504, LimitName::Wall, &["0.200"]);
        assert!(recorded.receipt.wall_us < 5_000_000, "{} us", recorded.receipt.wall_us);
    }
}

#[tokio::test]
async fn memory_grows_to_the_limit_and_then_growing_fails() {
    let (answer, recorded) = limited(&fixture("memory_hog"), |_| ()).await;
    assert_eq!(answer.text(), "2048\n");
    assert_eq!(
        (recorded.receipt.outcome.clone(), recorded.receipt.memory_peak_bytes),
        (Outcome::Ok, 128 << 20)
    );
    let (answer, recorded) =
        limited(&fixture("memory_hog"), |limits| limits.memory_bytes = 5 * 65_536 + 7).await;
    assert_eq!((answer.text(), recorded.receipt.memory_peak_bytes), ("5\n", 5 * 65_536));
}

#[tokio::test]
async fn growing_that_only_the_limit_refuses_is_told_with_the_command_that_allows_it() {
    let module = |maximum: &str| {
        wat(&format!(
            r#"(module (memory (export "memory") 1 {maximum})
                 (func (export "_start") (drop (memory.grow (i32.const 9))) unreachable))"#
        ))
    };
    let small = |limits: &mut Limits| limits.memory_bytes = 131_072;
    let (_, recorded) = limited(&module(""), small).await;
    let log = recorded.texts().join("\n");
    assert!(log.contains("memory limit: growing to 655360 of 131072 bytes was refused"), "{log}");
    assert!(log.contains("--memory-bytes 1048576"), "with room to allocate: {log}");
    let (_, recorded) = limited(&module("4"), small).await;
    let log = recorded.texts().join("\n");
    assert!(!log.contains("memory limit"), "its own maximum refused it: {log}");
}

#[tokio::test]
async fn a_memory_that_begins_above_a_lowered_limit_is_a_limit_that_was_hit() {
    let (answer, recorded) = limited(&fixture("globals_canary"), |limits| limits.memory_bytes = 65_536).await;
    assert_hit(
        &answer,
        &recorded,
        502,
        LimitName::Memory,
        &["131072", "65536", "raise it: wasmcloud policy set", "--memory-bytes 262144"],
    );
}

#[tokio::test]
async fn tables_grow_to_the_limit_and_then_growing_fails() {
    let module = wat(r#"(module
        (import "cwa" "runtime_exit" (func $exit (param i32)))
        (table $table 1 funcref)
        (memory (export "memory") 1)
        (func (export "_start")
          (loop $more
            (br_if $more (i32.ne (table.grow $table (ref.null func) (i32.const 100)) (i32.const -1))))
          (call $exit (table.size $table))))"#);
    let (_, recorded) = limited(&module, |_| ()).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Exit { status: 19_901 });
    let (_, recorded) = limited(&module, |limits| limits.table_elements = 250).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Exit { status: 201 });
}

#[tokio::test]
async fn deep_recursion_hits_the_stack_limit_and_the_executor_goes_on() {
    let app = TestExecutor::start().await;
    let (answer, recorded) = app.try_out("hello", &fixture("deep_recursion"), |_| ()).await;
    assert_hit(&answer, &recorded, 502, LimitName::Stack, &["killed by stack limit: 1 MiB"]);
    let (answer, _) = app.try_out("other", &prints("A: b\n\nfine"), |_| ()).await;
    assert_eq!(answer.text(), "fine");
}

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_response_limit() {
    let (answer, recorded) =
        limited(&fixture("endless_output"), |limits| limits.response_bytes = 1 << 20).await;
    assert_eq!((answer.status, answer.complete), (200, false));
    assert!(answer.body.len() <= 1 << 20, "{}", answer.body.len());
    assert_hit(&answer, &recorded, 200, LimitName::Response, &["1048576 bytes", "response_bytes"]);
}

#[tokio::test]
async fn an_answer_that_is_too_large_from_the_beginning_is_refused_whole() {
    let module = prints("Content-Type: a/b\nContent-Length: 1001\n\n");
    let (answer, recorded) = limited(&module, |limits| limits.response_bytes = 1_000).await;
    assert_hit(&answer, &recorded, 502, LimitName::Response, &["1000 bytes"]);
    recorded.line("the program's Content-Length is above the response limit");
    let module = prints(&format!("Content-Type: a/b\n\n{}", "x".repeat(1_001)));
    let (answer, recorded) = limited(&module, |limits| limits.response_bytes = 1_000).await;
    assert_hit(&answer, &recorded, 502, LimitName::Response, &["1000 bytes"]);
    let module = prints(&format!("Content-Type: a/b\n\n{}", "x".repeat(1_000)));
    let (answer, _) = limited(&module, |limits| limits.response_bytes = 1_000).await;
    assert_eq!((answer.status, answer.body.len()), (200, 1_000));
}

#[tokio::test]
async fn a_log_is_cut_at_its_limit_with_a_marker_and_the_program_goes_on() {
    let (answer, recorded) = limited(&fixture("log_flood"), |_| ()).await;
    assert_eq!((answer.text(), recorded.receipt.outcome.clone()), ("logged\n", Outcome::Ok));
    assert_eq!(recorded.lines.len(), 257);
    let last = &recorded.lines[256];
    assert_eq!((last.source, last.level), (Source::Platform, Level::WARNING));
    assert!(last.text.contains("limit of 262144 bytes"), "{}", last.text);
    assert_eq!((recorded.receipt.log_lines, recorded.receipt.log_lines_dropped), (257, 144));
}

#[tokio::test]
async fn lines_that_are_empty_or_caused_by_bad_ranges_are_limited_in_number() {
    for text in ["(i32.const 0) (i32.const 60000)", "(i32.const -1) (i32.const -1)"] {
        let module = wat(&format!(
            r#"(module
                (import "cwa" "log_write" (func $log (param i32 i32 i32)))
                (memory (export "memory") 1)
                (func (export "_start") (local $i i32)
                    (memory.fill (i32.const 0) (i32.const 10) (i32.const 65536))
                    (loop $more
                        (call $log (i32.const 6) {text})
                        (local.set $i (i32.add (local.get $i) (i32.const 1)))
                        (br_if $more (i32.lt_u (local.get $i) (i32.const 5000))))))"#
        ));
        let (_, recorded) = limited(&module, |_| ()).await;
        recorded.line("limit of 2000 lines");
        // The cut itself, and that there was no answer.
        assert_eq!(recorded.lines.len(), 2_002, "{text}");
        assert!(recorded.receipt.log_lines_dropped > 2_000);
    }
}

#[tokio::test]
async fn a_receipt_stays_small_whatever_a_module_calls_its_functions() {
    let name = "x".repeat(100_000);
    let module =
        wat(&format!(r#"(module (func ${name} unreachable) (func (export "_start") call ${name}))"#));
    let (answer, recorded) = limited(&module, |_| ()).await;
    assert_eq!(answer.status, 502);
    let Outcome::Trap { message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    assert!(message.len() < 400, "{} bytes", message.len());
    assert!(recorded.lines.iter().all(|line| line.text.len() < 400));
}

#[tokio::test]
async fn a_method_has_a_limit() {
    let app = TestExecutor::start().await;
    app.deploy("parrot", &prints("Content-Type: a/b\n\nhello")).await;
    assert_eq!(app.request(&"M".repeat(64), "parrot", "/", None).await.status, 200);
    assert_eq!(app.request(&"M".repeat(65), "parrot", "/", None).await.status, 400);
}

#[tokio::test]
async fn a_long_line_is_cut_with_a_marker() {
    let (_, recorded) = limited(&fixture("log_long_line"), |_| ()).await;
    let line = &recorded.lines[0].text;
    assert_eq!(line.chars().count(), 10_000);
    assert!(line.starts_with("xxxx") && line.ends_with("[line cut]"), "{}", &line[line.len() - 30..]);
}

#[tokio::test]
async fn endless_standard_error_is_cut_at_the_log_limit() {
    let module = prints_then(
        "A: b\n\n",
        "(memory.fill (i32.const 0) (i32.const 121) (i32.const 65536))
         (loop $more
           (drop (call $write (call $stderr) (i32.const 0) (i32.const 65536)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 200))))",
    );
    let (_, recorded) = limited(&module, |_| ()).await;
    let bytes: usize = recorded.lines.iter().map(|line| line.text.len()).sum();
    assert!(bytes < 300_000, "{bytes}");
    recorded.line("limit of 262144 bytes");
}

#[tokio::test]
async fn control_characters_reach_the_log_escaped() {
    let (_, recorded) = limited(&fixture("stderr"), |_| ()).await;
    recorded.line("control \\x1b[31m\\x07 characters");
    recorded.line("invalid \\xff\\xfe UTF-8");
    for line in &recorded.lines {
        assert!(!line.text.chars().any(char::is_control), "{:?}", line.text);
    }
}

#[tokio::test]
async fn waiting_for_a_compilation_takes_nothing_from_the_programs_time() {
    // As many functions as take longer to compile than the program may run. The sleep looks at the time.
    let body = "(local.set $x (i64.add (i64.mul (local.get $x) (i64.const 31)) (i64.const 7)))".repeat(100);
    let functions: String =
        (0..300).map(|_| format!("(func (param $x i64) (result i64) {body} (local.get $x))")).collect();
    let data = "Content-Type: a/b\\n\\nready";
    let imports = imports("cwa");
    let module = wat(&format!(
        r#"(module {imports} (memory (export "memory") 1) (data (i32.const 0) "{data}")
          (func (export "_start")
            (call $sleep (i32.const 1))
            (drop (call $write (call $stdout) (i32.const 0) (i32.const 24)))) {functions})"#
    ));
    let app = TestExecutor::start().await;
    let (answer, recorded) = app.try_out("hello", &module, |limits| limits.wall_ms = 60).await;
    assert_eq!((answer.status, recorded.receipt.outcome.clone()), (200, Outcome::Ok));
    assert!(recorded.receipt.wall_us > 60_000, "it was compiled in {} us", recorded.receipt.wall_us);
}
