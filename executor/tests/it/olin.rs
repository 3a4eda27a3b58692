//! Every function of the Olin ABI and every scheme, with the exact numbers that they return.

use std::collections::BTreeMap;

use bytes::Bytes;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Level, Outcome, Receipt, Source};

use crate::allocations::largest_allocation;
use crate::app::request_head;
use crate::local::{Ran, a_run, ran};
use crate::wasm::{fixture, imports, program_of, wat};

const INVALID: i32 = -2;
const NOT_FOUND: i32 = -4;
const END_OF_FILE: i32 = -5;
const UNKNOWN: i32 = -1;

/// What an `i32` expression comes to; `data` lies at 1024. It must be the same from both import modules.
async fn value(data: &str, expression: &str) -> i32 {
    value_in(|run| run, data, expression).await
}

async fn value_in(adjust: impl Fn(Run) -> Run, data: &str, expression: &str) -> i32 {
    let mut values = Vec::new();
    for module in ["cwa", "env"] {
        let module = program_of(module, data, &format!("(call $exit {expression})"));
        values.push(status(&ran(adjust(a_run(&module))).await.receipt));
    }
    assert_eq!(values[0], values[1], "cwa and env differ: {expression}");
    values[0]
}

fn status(receipt: &Receipt) -> i32 {
    match &receipt.outcome {
        Outcome::Ok => 0,
        Outcome::Exit { status } => *status,
        other => panic!("{other:?}"),
    }
}

fn body(ran: &Ran) -> &str {
    ran.output.split_once("\n\n").unwrap().1
}

#[tokio::test]
async fn env_get_returns_the_values_length_and_writes_only_what_fits_whole() {
    let get = |value_len: i32| {
        format!("(call $get (i32.const 1024) (i32.const 3) (i32.const 2048) (i32.const {value_len}))")
    };
    let own = |run: Run| Run { env: BTreeMap::from([("KEY".into(), "abcd".into())]), ..run };
    assert_eq!(value_in(own, "KEY", &get(4)).await, 4);
    assert_eq!(value_in(own, "KEY", &get(100)).await, 4);
    assert_eq!(value_in(own, "KEY", &get(3)).await, 4);
    assert_eq!(value_in(own, "KEY", &get(0)).await, 4);
    assert_eq!(value_in(own, "KAY", &get(100)).await, NOT_FOUND);
    let then_load =
        |length: i32| format!("(block (result i32) (drop {}) (i32.load (i32.const 2048)))", get(length));
    assert_eq!(value_in(own, "KEY", &then_load(4)).await, i32::from_le_bytes(*b"abcd"));
    assert_eq!(value_in(own, "KEY", &then_load(3)).await, 0, "a part of the value was written");
}

#[tokio::test]
async fn env_get_asks_for_exactly_the_name_that_it_is_given() {
    let get =
        |len: i64| format!("(call $get (i32.const 1024) (i32.const {len}) (i32.const 2048) (i32.const 64))");
    let own = |run: Run| Run { env: BTreeMap::from([("KEY".into(), "abcd".into())]), ..run };
    assert_eq!(value_in(own, "KEYS", &get(4)).await, NOT_FOUND);
    assert_eq!(value_in(own, "key", &get(3)).await, NOT_FOUND);
    assert_eq!(value_in(own, "", &get(0)).await, NOT_FOUND);
    assert_eq!(value_in(own, "\u{fffd}", &get(3)).await, NOT_FOUND);
}

#[tokio::test]
async fn every_range_outside_of_memory_is_an_invalid_argument_and_nothing_is_allocated_for_it() {
    let ran = ran(a_run(&fixture("bad_pointers"))).await;
    assert_eq!(ran.receipt.outcome, Outcome::Ok);
    let mut lines: Vec<&str> = body(&ran).lines().collect();
    assert_eq!(lines.pop(), Some("unknown id: -2 -2 -2 -2"));
    assert_eq!(lines.pop(), Some("log_write survived"));
    assert_eq!(lines.len(), 12);
    for line in lines {
        assert!(line.ends_with(" -2 -2 -2 -2"), "{line}");
    }
    // It has no result, so the log says it.
    let told: Vec<_> = ran.lines.iter().filter(|line| line.text.contains("log_write was given")).collect();
    assert_eq!(told.len(), 2, "{:?}", ran.lines);
    assert!(told.iter().all(|line| (line.source, line.level) == (Source::Platform, Level::WARNING)));
}

#[tokio::test]
async fn all_of_a_large_memory_is_moved_in_small_pieces() {
    // Each of these names 100 MiB, which are there.
    let bytes = 100 << 20;
    let all = format!("(i32.const 0) (i32.const {bytes})");
    let imports = imports("cwa");
    let module = wat(&format!(
        r#"(module {imports} (memory (export "memory") 1601)
          (data (i32.const 104857600) "zero://null://random://log://")
          (func (export "_start") (local $in i32) (local $out i32)
            (local.set $in (call $open (i32.const 104857600) (i32.const 7)))
            (if (i32.ne (call $read (local.get $in) {all}) (i32.const {bytes})) (then (unreachable)))
            (local.set $out (call $open (i32.const 104857607) (i32.const 7)))
            (if (i32.ne (call $write (local.get $out) {all}) (i32.const {bytes})) (then (unreachable)))
            (if (i32.ne (call $write (call $stderr) {all}) (i32.const {bytes})) (then (unreachable)))
            (call $log (i32.const 6) {all})
            (local.set $out (call $open (i32.const 104857623) (i32.const 6)))
            (if (i32.ne (call $write (local.get $out) {all}) (i32.const {bytes})) (then (unreachable)))
            (if (i32.ne (call $get {all} (i32.const 0) (i32.const 0)) (i32.const {NOT_FOUND})) (then (unreachable)))
            (if (i32.ne (call $open {all}) (i32.const {INVALID})) (then (unreachable)))
            (if (i32.ne (call $name {all}) (i32.const 4)) (then (unreachable)))
            (if (i32.ne (call $arg_at (i32.const 0) {all}) (i32.const 6)) (then (unreachable)))))"#
    ));
    let ran = ran(a_run(&module)).await;
    assert_eq!(ran.receipt.outcome, Outcome::Ok, "{:?}", ran.lines.last());
    let largest = largest_allocation();
    assert!(largest < 40 << 20, "somebody allocated {largest} bytes at once");
}

#[tokio::test]
async fn a_range_may_end_where_memory_ends() {
    let zero = "(call $read (call $open (i32.const 1024) (i32.const 7))";
    assert_eq!(value("zero://", &format!("{zero} (i32.const 65535) (i32.const 1))")).await, 1);
    assert_eq!(value("zero://", &format!("{zero} (i32.const 65536) (i32.const 0))")).await, 0);
    assert_eq!(value("zero://", &format!("{zero} (i32.const 65537) (i32.const 0))")).await, INVALID);
    assert_eq!(value("zero://", &format!("{zero} (i32.const 0) (i32.const 65536))")).await, 65_536);
    assert_eq!(value("zero://", &format!("{zero} (i32.const 1) (i32.const 65536))")).await, INVALID);
}

#[tokio::test]
async fn a_start_function_has_its_memory_already() {
    let module = wat(r#"(module
        (import "cwa" "startup_arg_at" (func $arg_at (param i32 i32 i32) (result i32)))
        (import "cwa" "runtime_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func $begin (call $exit (call $arg_at (i32.const 0) (i32.const 0) (i32.const 6))))
        (start $begin)
        (func (export "_start")))"#);
    assert_eq!(status(&ran(a_run(&module)).await.receipt), 6);
}

#[tokio::test]
async fn standard_streams_get_a_new_id_each_time_and_ids_are_never_given_twice() {
    assert_eq!(value("", "(i32.add (i32.mul (call $stdin) (i32.const 100)) (call $stdin))").await, 1);
    assert_eq!(value("", "(block (result i32) (call $close (call $stdout)) (call $stderr))").await, 1);
}

#[tokio::test]
async fn standard_streams_go_one_way() {
    assert_eq!(value("x", "(call $write (call $stdin) (i32.const 1024) (i32.const 1))").await, INVALID);
    assert_eq!(value("", "(call $read (call $stdout) (i32.const 1024) (i32.const 1))").await, INVALID);
    assert_eq!(value("", "(call $read (call $stderr) (i32.const 1024) (i32.const 1))").await, INVALID);
    assert_eq!(value("x", "(call $write (call $stderr) (i32.const 1024) (i32.const 1))").await, 1);
    assert_eq!(value("x", "(call $write (call $stdout) (i32.const 1024) (i32.const 0))").await, 0);
    for stream in ["$stdin", "$stdout", "$stderr"] {
        assert_eq!(value("", &format!("(call $flush (call {stream}))")).await, 0, "{stream}");
    }
}

#[tokio::test]
async fn standard_input_is_read_to_its_end_and_then_says_so() {
    let with = |body: &'static [u8]| move |run: Run| Run { body: Some(Bytes::from_static(body)), ..run };
    let read = |len: i32| format!("(call $read (local.get $i) (i32.const 2048) (i32.const {len}))");
    let open = "(local.set $i (call $stdin))";
    let once = |len: i32| format!("(block (result i32) {open} {})", read(len));
    let twice = |len: i32| format!("(block (result i32) {open} (drop {}) {})", read(len), read(len));
    assert_eq!(value_in(with(b"abcdef"), "", &once(4)).await, 4);
    assert_eq!(value_in(with(b"abcdef"), "", &once(100)).await, 6);
    assert_eq!(value_in(with(b"abcdef"), "", &twice(4)).await, 2);
    assert_eq!(value_in(with(b"abcdef"), "", &twice(100)).await, END_OF_FILE);
    assert_eq!(value_in(with(b"abcdef"), "", &once(0)).await, 0);
    assert_eq!(value_in(with(b""), "", &once(4)).await, END_OF_FILE);
    assert_eq!(value("", &once(4)).await, END_OF_FILE);
}

#[tokio::test]
async fn all_standard_inputs_share_one_position() {
    let with = |run: Run| Run { body: Some(Bytes::from_static(b"abcdef")), ..run };
    let read = "(call $read (call $stdin) (i32.const 2048) (i32.const 4))";
    assert_eq!(value_in(with, "", &format!("(block (result i32) (drop {read}) {read})")).await, 2);
}

#[tokio::test]
async fn log_write_keeps_levels_and_makes_everything_printable() {
    let ran = ran(a_run(&fixture("stderr"))).await;
    let told: Vec<(i32, Source, &str)> =
        ran.lines.iter().map(|line| (line.level.0, line.source, line.text.as_str())).collect();
    assert_eq!(
        told,
        [
            (6, Source::Stderr, "first line"),
            (6, Source::Stderr, "second line"),
            (1, Source::Log, "an error"),
            (3, Source::Log, "a warning"),
            (6, Source::Log, "information"),
            (4, Source::Log, "a level without a name"),
            (6, Source::Log, "invalid \\xff\\xfe UTF-8"),
            (6, Source::Log, "control \\x1b[31m\\x07 characters"),
            (6, Source::Log, "one"),
            (6, Source::Log, "two"),
            (6, Source::Stderr, "an unfinished line"),
        ]
    );
}

#[tokio::test]
async fn random_numbers_differ_and_have_their_type() {
    let (one, other) = (ran(a_run(&fixture("random"))).await, ran(a_run(&fixture("random"))).await);
    let numbers: Vec<&str> = body(&one).lines().chain(body(&other).lines()).collect();
    assert_eq!(numbers.len(), 10);
    for run in numbers.chunks(5) {
        assert!(run[0].parse::<i32>().is_ok() && run[1].parse::<u32>().is_ok(), "{run:?}");
        assert!(run[2].parse::<i64>().is_ok() && run[3].parse::<u64>().is_ok(), "{run:?}");
        assert!(run[4].len() == 32 && run[4].bytes().all(|digit| digit.is_ascii_hexdigit()), "{run:?}");
    }
    // 64 and 128 bits that are the same twice would be no accident.
    assert_ne!(numbers[2], numbers[7]);
    assert_ne!(numbers[3], numbers[8]);
    assert_ne!(numbers[4], numbers[9]);
}

#[tokio::test]
async fn every_scheme_reads_and_writes_as_it_should() {
    let ran = ran(a_run(&fixture("schemes"))).await;
    assert_eq!(ran.receipt.outcome, Outcome::Ok);
    let lines: Vec<&str> = body(&ran).lines().collect();
    // The URL, what writing 5 bytes returned, reading 8, flushing, and the sum of what was read.
    assert_eq!(
        &lines[..4],
        ["log:// 5 0 0 0", "log://?prefix=parrot 5 0 0 0", "null:// 5 0 0 0", "zero:// 5 8 0 0"]
    );
    let random: Vec<&str> = lines[4].split(' ').collect();
    assert_eq!(&random[..4], ["random://", "-1", "8", "0"], "{}", lines[4]);
    assert!(random[4].parse::<i32>().unwrap() > 0, "eight random bytes were all zero");
    assert_eq!(&lines[5..], ["gopher://example.com/ -4", "no url -2"]);
    let logged: Vec<(&str, Source)> =
        ran.lines.iter().map(|line| (line.text.as_str(), line.source)).collect();
    assert_eq!(logged, [("hello", Source::Log), ("parrot: hello", Source::Log)]);
    assert_eq!(ran.receipt.urls, ["log://", "log://?prefix=parrot", "null://", "zero://", "random://"]);
}

#[tokio::test]
async fn a_log_prefix_stands_before_every_line() {
    let data = "log://?prefix=p%20qone\ntwo\n";
    let write = "(call $write (call $open (i32.const 1024) (i32.const 19)) (i32.const 1043) (i32.const 8))";
    let module = program_of("cwa", data, &format!("(call $exit {write})"));
    let ran = ran(a_run(&module)).await;
    assert_eq!(status(&ran.receipt), 8);
    let logged = ran.lines.iter().filter(|line| line.source == Source::Log);
    let texts: Vec<&str> = logged.map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["p q: one", "p q: two"]);
}

#[tokio::test]
async fn opening_what_nobody_provides_is_not_found_and_what_is_no_url_is_invalid() {
    for (url, result) in [
        ("gopher://x", NOT_FOUND),
        ("http:/x", INVALID),
        ("", INVALID),
        ("file:///etc/passwd", NOT_FOUND),
        ("fd://1", NOT_FOUND),
        ("NULL://", 0),
        ("null://anything?at=all", 0),
    ] {
        let open = format!("(call $open (i32.const 1024) (i32.const {}))", url.len());
        assert_eq!(value(url, &open).await, result, "{url:?}");
    }
    assert_eq!(value("null://", "(call $open (i32.const 0) (i32.const 65536))").await, INVALID);
}

#[tokio::test]
async fn a_program_can_have_1024_resources_open_and_no_more() {
    let open = |times: i32| {
        format!(
            "(block (result i32)
               (loop $more
                 (local.set $out (call $stdin))
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (br_if $more (i32.lt_u (local.get $i) (i32.const {times}))))
               (local.get $out))"
        )
    };
    assert_eq!(value("", &open(1024)).await, 1023);
    assert_eq!(value("", &open(1025)).await, UNKNOWN);
}

#[tokio::test]
async fn closing_gives_0_to_programs_that_expect_a_result_and_the_id_is_gone() {
    let module = |close: &str| {
        wat(&format!(
            r#"(module
              (import "cwa" "io_get_stdin" (func $stdin (result i32)))
              (import "env" "resource_flush" (func $flush (param i32) (result i32)))
              (import "cwa" "resource_close" (func $close (param i32) (result i32)))
              (import "env" "runtime_exit" (func $exit (param i32)))
              (memory (export "memory") 1)
              (func (export "_start") (local $id i32)
                (local.set $id (call $stdin))
                (call $exit {close})))"#
        ))
    };
    let result = ran(a_run(&module("(i32.add (i32.const 7) (call $close (local.get $id)))"))).await;
    assert_eq!(status(&result.receipt), 7);
    let gone = "(block (result i32) (drop (call $close (local.get $id))) (call $flush (local.get $id)))";
    assert_eq!(status(&ran(a_run(&module(gone))).await.receipt), INVALID);
}

#[tokio::test]
async fn closing_what_is_not_open_ends_the_program_and_says_so() {
    let with_result = wat(r#"(module
        (import "cwa" "resource_close" (func $close (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "_start") (drop (call $close (i32.const 9999)))))"#);
    for module in [fixture("close_unknown"), with_result] {
        let ran = ran(a_run(&module)).await;
        let Outcome::Trap { message } = &ran.receipt.outcome else { panic!("{:?}", ran.receipt.outcome) };
        assert!(message.contains("9999") && message.contains("not open"), "{message}");
        assert_eq!(ran.output, "");
    }
}

#[tokio::test]
async fn runtime_says_olin_0_2() {
    let ran = ran(a_run(&fixture("runtime"))).await;
    assert_eq!(body(&ran), "olin 0.2 -2\n");
    assert_eq!(value("", "(call $name (i32.const 1024) (i32.const 4))").await, 4);
    assert_eq!(value("", "(call $major)").await, 0);
    assert_eq!(value("", "(call $minor)").await, 2);
}

#[tokio::test]
async fn an_exit_ends_the_program_at_once_with_its_status() {
    for status_asked in [1, 255, -1, i32::MAX, i32::MIN] {
        let exit = format!("(block (result i32) (call $exit (i32.const {status_asked})) (i32.const 5))");
        assert_eq!(value("", &exit).await, status_asked);
    }
    let ran = ran(a_run(&fixture("exit_zero"))).await;
    assert_eq!((body(&ran), ran.receipt.outcome.clone()), ("all is well\n", Outcome::Ok));
}

#[tokio::test]
async fn a_sleep_takes_at_least_its_time_and_a_negative_one_none() {
    let ran = ran(a_run(&fixture("sleeper"))).await;
    assert!(ran.receipt.wall_us >= 100_000, "{}", ran.receipt.wall_us);
    assert_eq!(value("", "(block (result i32) (call $sleep (i32.const -1)) (i32.const 1))").await, 1);
}

#[tokio::test]
async fn arguments_are_written_as_far_as_they_fit() {
    let arg = |index: i32, len: i32| {
        format!("(call $arg_at (i32.const {index}) (i32.const 2048) (i32.const {len}))")
    };
    let with = |run: Run| Run { args: vec!["second".into(), String::new()], ..run };
    assert_eq!(value_in(with, "", "(call $arg_len)").await, 3);
    assert_eq!(value_in(with, "", &arg(0, 100)).await, 6, "the program's name is parrot");
    assert_eq!(value_in(with, "", &arg(1, 2)).await, 2);
    assert_eq!(value_in(with, "", &arg(1, 0)).await, 0);
    assert_eq!(value_in(with, "", &arg(2, 100)).await, 0);
    assert_eq!(value_in(with, "", &arg(3, 100)).await, INVALID);
    assert_eq!(value_in(with, "", &arg(-1, 100)).await, INVALID);
}

#[tokio::test]
async fn time_now_is_whole_seconds() {
    let before = wasmcloud_wire::Timestamp::now().0 / 1000;
    let ran = ran(a_run(&fixture("time"))).await;
    let after = wasmcloud_wire::Timestamp::now().0 / 1000;
    let now: i64 = body(&ran).trim().parse().unwrap();
    assert!((before..=after).contains(&now), "{before} {now} {after}");
}

#[tokio::test]
async fn variables_reach_a_program_as_bytes() {
    let get = "(block (result i32)
        (drop (call $get (i32.const 1024) (i32.const 9) (i32.const 2048) (i32.const 64)))
        (i32.load (i32.const 2048)))";
    let asked = |run: Run| Run { request: request_head("GET", "/%ff%41b"), ..run };
    assert_eq!(value_in(asked, "PATH_INFO", get).await, i32::from_le_bytes([b'/', 0xff, b'A', b'b']));
}
