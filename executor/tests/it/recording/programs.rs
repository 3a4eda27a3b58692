//! Programs that answer with what clocks and randomness give them, one of every kind.

use crate::wasm::{escaped, fixture, wat};

const HEADER: &str = "Content-Type: application/octet-stream\n\n";

/// A program, and whether it writes its log instead of an answer.
pub struct Program {
    pub name: &'static str,
    pub module: Vec<u8>,
    pub logs: bool,
}

pub fn programs() -> Vec<Program> {
    let program = |name, module| Program { name, module, logs: false };
    vec![
        program("olin-random", fixture("random")),
        program("olin-time", fixture("time")),
        program("dagger", dagger()),
        program("wasi", wasi()),
        program("command", component("stdout", HEADER, COMMAND)),
        Program { name: "http", module: component("stderr", "given: ", HTTP), logs: true },
    ]
}

fn dagger() -> Vec<u8> {
    let header = escaped(HEADER);
    wat(&format!(
        r#"(module
            (import "dagger" "open" (func $open (param i32 i32) (result i32)))
            (import "dagger" "read" (func $read (param i32 i32 i32) (result i32)))
            (import "dagger" "write" (func $write (param i32 i32 i32) (result i32)))
            (memory 1)
            (data (i32.const 0) "fd://1\00") (data (i32.const 16) "random://\00") (data (i32.const 64) "{header}")
            (func (export "main") (result i32)
              (drop (call $open (i32.const 0) (i32.const 0)))
              (drop (call $open (i32.const 16) (i32.const 0)))
              (drop (call $read (i32.const 1) (i32.const 1024) (i32.const 32)))
              (drop (call $write (i32.const 0) (i32.const 64) (i32.const {length})))
              (drop (call $write (i32.const 0) (i32.const 1024) (i32.const 32)))
              (i32.const 0)))"#,
        length = HEADER.len()
    ))
}

/// 300 KiB of randomness, more than is made at once, and both clocks twice.
fn wasi() -> Vec<u8> {
    let header = escaped(HEADER);
    wat(&format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
            (memory (export "memory") 6)
            (data (i32.const 64) "{header}")
            (func (export "_start")
              (drop (call $random (i32.const 1024) (i32.const 300000)))
              (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 301024)))
              (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 301032)))
              (loop $spin
                (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 301040)))
                (br_if $spin (i64.eq (i64.load (i32.const 301040)) (i64.load (i32.const 301032)))))
              (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 301048)))
              (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (i32.const {length}))
              (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 300032))
              (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))
              (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32)))))"#,
        length = HEADER.len()
    ))
}

const COMMAND: &str = r#"
    (func $run (result (result)) (canon lift (core func $main "run")))
    (instance $run (export "run" (func $run)))
    (export "wasi:cli/run@0.2.0" (instance $run))"#;

const HTTP: &str = r#"
    (import "wasi:http/types@0.2.0" (instance $types
      (export "incoming-request" (type (sub resource)))
      (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $response))
    (func $handle (param "request" (own $request)) (param "response-out" (own $response))
      (canon lift (core func $main "handle")))
    (instance $handler (export "handle" (func $handle)))
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler))"#;

fn component(stream: &str, text: &str, export: &str) -> Vec<u8> {
    let text_length = text.len().to_string();
    let template = include_str!("inputs.wat");
    wat(&template
        .replace("{stream}", stream)
        .replace("{text}", &escaped(text))
        .replace("{length}", &text_length)
        .replace("{export}", export))
}
