//! Dagger and h, the ABIs before Olin.

use wasmcloud_wire::{Abi, Outcome};

use crate::local::{a_run, ran};
use crate::wasm::wat;

/// A Dagger program whose integers are of these types.
fn dagger(ptr: &str, result: &str, data: &str, body: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module
            (import "dagger" "open" (func $open (param {ptr} {ptr}) (result {result})))
            (import "dagger" "close" (func $close (param {result}) (result {result})))
            (import "dagger" "read" (func $read (param {result} {ptr} {ptr}) (result {result})))
            (import "dagger" "write" (func $write (param {result} {ptr} {ptr}) (result {result})))
            (import "dagger" "sync" (func $sync (param {result}) (result {result})))
            (import "dagger" "flush" (func $flush (param {result})))
            (memory 1)
            (data (i32.const 0) "fd://0\00") (data (i32.const 16) "fd://1\00") (data (i32.const 32) "fd://2\00")
            (data (i32.const 48) "log://?prefix=p\00") (data (i32.const 80) "gopher://x\00")
            (data (i32.const 96) "fd://7\00") (data (i32.const 112) "nonsense\00") (data (i32.const 128) "null://\00")
            {data}
            (func (export "main") (result {result}) {body}))"#
    ))
}

/// What `main` returned, which is the exit code.
async fn code(body: &str) -> i32 {
    match ran(a_run(&dagger("i32", "i32", "", body))).await.receipt.outcome {
        Outcome::Ok => 0,
        Outcome::Exit { status } => status,
        other => panic!("{body}: {other:?}"),
    }
}

#[tokio::test]
async fn a_program_copies_its_input_to_its_output_with_integers_of_any_size() {
    for (ptr, result) in [("i32", "i32"), ("i64", "i64"), ("i32", "i64"), ("i64", "i32")] {
        let body = format!(
            "(drop (call $open ({ptr}.const 0) ({ptr}.const 0)))
             (drop (call $open ({ptr}.const 16) ({ptr}.const 0)))
             (drop (call $read ({result}.const 0) ({ptr}.const 1000) ({ptr}.const 100)))
             (drop (call $write ({result}.const 1) ({ptr}.const 1000) ({ptr}.const 5)))
             (call $flush ({result}.const 1))
             (call $sync ({result}.const 1))"
        );
        let mut run = a_run(&dagger(ptr, result, "", &body));
        run.body = Some("hello".into());
        let ran = ran(run).await;
        assert_eq!((ran.output.as_str(), &ran.receipt.outcome), ("hello", &Outcome::Ok), "{ptr} {result}");
        assert_eq!((ran.receipt.abi, ran.receipt.bytes_in, ran.receipt.bytes_out), (Abi::Dagger, 5, 5));
        assert_eq!(ran.receipt.host_calls["open"], 2);
        assert_eq!(ran.receipt.urls, ["fd://0", "fd://1"]);
    }
}

#[tokio::test]
async fn descriptors_count_from_zero_the_lowest_free_one_first() {
    let body = "
        (drop (call $open (i32.const 16) (i32.const 0)))
        (drop (call $open (i32.const 128) (i32.const 0)))
        (drop (call $open (i32.const 128) (i32.const 0)))
        (if (call $close (i32.const 1)) (then unreachable))
        (call $open (i32.const 128) (i32.const 0))";
    assert_eq!(code(body).await, 1);
    assert_eq!(code("(call $open (i32.const 128) (i32.const 0))").await, 0);
}

#[tokio::test]
async fn failures_are_the_numbers_of_the_abi() {
    for (body, number) in [
        ("(call $open (i32.const 112) (i32.const 0))", -1),
        ("(call $open (i32.const -1) (i32.const 0))", -1),
        ("(call $open (i32.const 65530) (i32.const 0))", -1),
        ("(call $open (i32.const 96) (i32.const 0))", -2),
        ("(call $open (i32.const 80) (i32.const 0))", -3),
        ("(call $close (i32.const 0))", -1),
        ("(call $close (i32.const -1))", -1),
        ("(call $sync (i32.const 3))", -1),
        ("(call $read (i32.const 0) (i32.const 0) (i32.const 1))", -1),
        (
            "(drop (call $open (i32.const 0) (i32.const 0))) (call $read (i32.const 0) (i32.const 1000) (i32.const 9))",
            -1,
        ),
        (
            "(drop (call $open (i32.const 0) (i32.const 0))) (call $read (i32.const 0) (i32.const 65535) (i32.const 2))",
            -1,
        ),
        (
            "(drop (call $open (i32.const 0) (i32.const 0))) (call $write (i32.const 0) (i32.const 0) (i32.const 1))",
            -1,
        ),
        (
            "(drop (call $open (i32.const 16) (i32.const 0))) (call $write (i32.const 0) (i32.const 0) (i32.const -1))",
            -1,
        ),
        ("(i32.const 7)", 7),
    ] {
        assert_eq!(code(body).await, number, "{body}");
    }
}

#[tokio::test]
async fn a_log_and_standard_error_become_lines() {
    let body = "
        (drop (call $open (i32.const 48) (i32.const 0)))
        (drop (call $write (i32.const 0) (i32.const 1000) (i32.const 3)))
        (drop (call $open (i32.const 32) (i32.const 0)))
        (drop (call $write (i32.const 1) (i32.const 1000) (i32.const 3)))
        (i32.const 0)";
    let ran = ran(a_run(&dagger("i32", "i32", r#"(data (i32.const 1000) "one")"#, body))).await;
    let texts: Vec<&str> = ran.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(texts, ["p: one", "one"]);
}

#[tokio::test]
async fn h_prints_its_characters() {
    let module = wat(r#"(module (import "h" "h" (func $h (param i32)))
            (func (export "h")
                (call $h (i32.const 104)) (call $h (i32.const 10))
                (call $h (i32.const 0x1F980)) (call $h (i32.const 0xD800)) (call $h (i32.const -1))))"#);
    let ran = ran(a_run(&module)).await;
    assert_eq!(ran.output, "h\n\u{1F980}\u{FFFD}\u{FFFD}");
    assert_eq!((ran.receipt.abi, ran.receipt.outcome), (Abi::H, Outcome::Ok));
    assert_eq!(ran.receipt.host_calls["h"], 5);
}
