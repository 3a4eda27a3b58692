//! Programs in the shapes in which they were written for Olin, pa'i, Dagger and h: what those hosts let pass
//! and a stricter one would not.

use bytes::Bytes;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Level, Outcome, PolicyMode, Source, UrlPolicy};

use crate::far::{Server, allowing, ok, printed, remote, strings};
use crate::local::{Ran, a_run, ran};
use crate::wasm::wat;

fn status(ran: &Ran) -> i32 {
    match ran.receipt.outcome {
        Outcome::Ok => 0,
        Outcome::Exit { status } => status,
        ref other => panic!("{other:?}"),
    }
}

/// A run with an Olin policy file: what is not allowed ends the program.
fn with_policy_file(module: &[u8], allow: &[&str]) -> Run {
    let urls = UrlPolicy { allow: strings(allow), disallow: Vec::new(), mode: PolicyMode::End };
    Run { urls, ..a_run(module) }
}

/// Opens a URL and ends with what that returned, negated.
fn opens(url: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module
            (import "env" "resource_open" (func $open (param i32 i32) (result i32)))
            (import "env" "runtime_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            (data (i32.const 0) "{url}")
            (func (export "_start")
                (call $exit (i32.sub (i32.const 0) (call $open (i32.const 0) (i32.const {}))))))"#,
        url.len()
    ))
}

#[tokio::test]
async fn a_program_may_take_its_functions_from_both_import_modules() {
    let module = wat(r#"(module
            (import "env" "log_write" (func $log (param i32 i32 i32)))
            (import "cwa" "runtime_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "hi!")
            (func (export "_start")
                (call $log (i32.const 6) (i32.const 0) (i32.const 3))
                (call $log (i32.const 4) (i32.const 0) (i32.const 3))
                (call $exit (i32.const 5))))"#);
    let ran = ran(a_run(&module)).await;
    assert_eq!(status(&ran), 5);
    let logged = ran.lines.iter().filter(|line| line.source == Source::Log);
    let lines: Vec<(Level, &str)> = logged.map(|line| (line.level, line.text.as_str())).collect();
    assert_eq!(lines, [(Level::INFO, "hi!"), (Level(4), "hi!")]);
}

#[tokio::test]
async fn a_cat_that_stops_at_a_short_read_or_at_the_end_copies_all_of_its_input() {
    // Reads of 928 bytes, as a small stack of two pages allows.
    let module = wat(r#"(module
            (import "env" "io_get_stdin" (func $in (result i32)))
            (import "env" "io_get_stdout" (func $out (result i32)))
            (import "env" "resource_read" (func $read (param i32 i32 i32) (result i32)))
            (import "env" "resource_write" (func $write (param i32 i32 i32) (result i32)))
            (import "env" "runtime_exit" (func $exit (param i32)))
            (memory (export "memory") 2)
            (func (export "_start") (local $from i32) (local $to i32) (local $n i32)
                (local.set $from (call $in))
                (local.set $to (call $out))
                (loop $again
                    (local.set $n (call $read (local.get $from) (i32.const 0) (i32.const 928)))
                    (if (i32.lt_s (local.get $n) (i32.const 0)) (then (call $exit (local.get $n))))
                    (if (i32.ne (call $write (local.get $to) (i32.const 0) (local.get $n)) (local.get $n))
                        (then (call $exit (i32.const 1))))
                    (br_if $again (i32.eq (local.get $n) (i32.const 928))))))"#);
    for (bytes, ends_with) in [(0, -5), (5, 0), (927, 0), (928, -5), (929, 0), (1856, -5), (100_000, 0)] {
        let input = "0123456789abcdef".repeat(bytes / 16 + 1)[..bytes].to_owned();
        let ran = ran(Run { body: Some(Bytes::from(input.clone())), ..a_run(&module) }).await;
        assert_eq!(status(&ran), ends_with, "{bytes}");
        assert!(ran.output == input, "{bytes}: {}", ran.output.len());
    }
}

#[tokio::test]
async fn a_policy_file_is_asked_about_every_scheme_even_one_that_nobody_provides() {
    for url in ["file:///etc/passwd", "gopher://a.example/", "zero://"] {
        let ran = ran(with_policy_file(&opens(url), &["^log://", "^random://"])).await;
        let Outcome::Denied { message } = &ran.receipt.outcome else {
            panic!("{url}: {:?}", ran.receipt.outcome)
        };
        assert!(message.contains(url), "{message}");
        assert_eq!(ran.receipt.outbound.denied, [url]);
    }
    // What is allowed and not there is not found, as without a policy file.
    for (url, result) in [("file:///etc/passwd", 4), ("random://", 0)] {
        assert_eq!(status(&ran(with_policy_file(&opens(url), &["^file://", "^random://"])).await), result);
        assert_eq!(status(&ran(a_run(&opens(url))).await), result, "{url}");
    }
}

#[tokio::test]
async fn a_client_that_opens_a_scheme_alone_reaches_the_host_that_its_request_names() {
    let server = Server::start(|_| ok("hello")).await;
    // Olin's own client ended one line with CRLF and the others with LF, and wrote one empty line too many.
    let request = format!("wGET /x HTTP/1.1\r\nHost: {}\nuser-agent: Olin/dev\n\n\n", server.addr);
    let steps = ["ohttp://", request.as_str(), "f", "r4096"];
    let fetched = ran(remote(&steps)).await;
    assert!(printed(&fetched.output).contains("\nf 0\nrHTTP/1.1 200 OK\r\n"), "{}", fetched.output);
    assert!(fetched.output.contains("\r\n\r\nhello "), "{}", fetched.output);
    assert_eq!(fetched.receipt.urls, [server.url("/x")]);
    assert_eq!(server.accepted(), 1);

    // The policy is asked about the host that is named, and a request without one goes nowhere.
    let denied = ran(Run { urls: allowing(&["^https://", "/y$"]), ..remote(&steps) }).await;
    assert!(printed(&denied.output).contains("\nf -3\n"), "{}", denied.output);
    assert_eq!(denied.receipt.outbound.denied, [server.url("/x")]);
    let nowhere = ran(remote(&["ohttp://", "wGET /x HTTP/1.1\n\n", "f"])).await;
    assert!(printed(&nowhere.output).ends_with("\nf -2\n"), "{}", nowhere.output);
    assert!(
        nowhere.lines.iter().any(|line| line.text.contains("http:// names no host")),
        "{:#?}",
        nowhere.lines
    );
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_dagger_program_may_keep_its_memory_to_itself_and_write_no_nul() {
    // What follows the text in memory is zero.
    let module = wat(r#"(module
            (import "dagger" "open" (func $open (param i32 i32) (result i32)))
            (import "dagger" "write" (func $write (param i32 i32 i32) (result i32)))
            (import "dagger" "close" (func $close (param i32) (result i32)))
            (memory 1)
            (data (i32.const 200) "fd://1")
            (data (i32.const 230) "Hello, world!\n")
            (func (export "main") (result i32) (local $fd i32)
                (local.set $fd (call $open (i32.const 200) (i32.const 0)))
                (drop (call $write (local.get $fd) (i32.const 230) (i32.const 14)))
                (call $close (local.get $fd))))"#);
    let ran = ran(a_run(&module)).await;
    assert_eq!((status(&ran), ran.output.as_str()), (0, "Hello, world!\n"));
    // One for each instruction.
    assert_eq!(ran.receipt.gas, 11);
}

#[tokio::test]
async fn a_dagger_program_that_reads_until_minus_one_comes_to_its_end() {
    let module = wat(r#"(module
            (import "dagger" "open" (func $open (param i32 i32) (result i64)))
            (import "dagger" "read" (func $read (param i64 i32 i32) (result i64)))
            (import "dagger" "write" (func $write (param i64 i32 i64) (result i64)))
            (memory 1)
            (data (i32.const 0) "fd://0\00fd://1")
            (func (export "main") (result i64) (local $n i64)
                (drop (call $open (i32.const 0) (i32.const 0)))
                (drop (call $open (i32.const 7) (i32.const 0)))
                (loop $again
                    (local.set $n (call $read (i64.const 0) (i32.const 100) (i32.const 4)))
                    (if (i64.ne (local.get $n) (i64.const -1))
                        (then
                            (drop (call $write (i64.const 1) (i32.const 100) (local.get $n)))
                            (br $again))))
                (i64.const 0)))"#);
    let ran = ran(Run { body: Some("hello, dagger".into()), ..a_run(&module) }).await;
    assert_eq!((status(&ran), ran.output.as_str()), (0, "hello, dagger"));
}

#[tokio::test]
async fn an_h_program_has_locals_and_no_memory() {
    let module = wat(r#"(module
            (import "h" "h" (func $h (param i32)))
            (func $main (local i32 i32 i32)
                (local.set 0 (i32.const 10))
                (local.set 1 (i32.const 104))
                (local.set 2 (i32.const 39))
                (call $h (local.get 1))
                (call $h (local.get 2))
                (call $h (local.get 0)))
            (export "h" (func $main)))"#);
    let ran = ran(a_run(&module)).await;
    assert_eq!((status(&ran), ran.output.as_str()), (0, "h'\n"));
}
