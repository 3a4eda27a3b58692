//! Programs to deploy.

use std::path::{Path, PathBuf};

/// A fixture of `examples/fixtures`.
pub fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fixtures").join(name);
    assert!(path.is_file(), "there is no {}", path.display());
    path.to_str().unwrap().to_owned()
}

/// The example in Rust, as `cargo xtask guests` builds it.
pub fn olin_echo() -> String {
    let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
    let path = target.join("guests/olin-echo.wasm");
    assert!(path.is_file(), "{} is not built; run `cargo xtask guests` first", path.display());
    path.to_str().unwrap().to_owned()
}

/// WebAssembly text of a program that answers with these words.
pub fn saying(words: &str) -> String {
    program(&format!("Content-Type: text/plain\n\n{words}"), 1)
}

/// A program whose answer is long: a header field and many lines, all with the same word.
pub fn saying_forever(word: &str, lines: usize) -> String {
    let line = format!("{word}\n");
    program(&format!("Content-Type: text/plain\nX-Version: {word}\n\n{}", line.repeat(16)), lines / 16)
}

/// A program that writes a text, and all but its header `times` times.
fn program(text: &str, times: usize) -> String {
    let body = text.split_once("\n\n").unwrap().1.len();
    let head = text.len() - body;
    format!(
        r#"(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "{}")
  (func (export "_start") (local $left i32)
    (drop (call $write (call $stdout) (i32.const 32) (i32.const {head})))
    (local.set $left (i32.const {times}))
    (loop $next
      (drop (call $write (call $stdout) (i32.const {}) (i32.const {body})))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (i32.gt_s (local.get $left) (i32.const 0))))))"#,
        escaped(text),
        32 + head
    )
}

/// A program that logs `began`, answers its first line, takes so many milliseconds, answers its last line and
/// logs `done`.
pub fn slow(milliseconds: u32) -> String {
    format!(
        r#"(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (import "cwa" "resource_flush" (func $flush (param i32) (result i32)))
  (import "cwa" "log_write" (func $log (param i32 i32 i32)))
  (import "cwa" "runtime_msleep" (func $msleep (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "Content-Type: text/plain\n\nfirst\n")
  (data (i32.const 64) "last\n")
  (data (i32.const 96) "began")
  (data (i32.const 104) "done")
  (func (export "_start") (local $out i32)
    (local.set $out (call $stdout))
    (call $log (i32.const 6) (i32.const 96) (i32.const 5))
    (drop (call $write (local.get $out) (i32.const 32) (i32.const 32)))
    (drop (call $flush (local.get $out)))
    (call $msleep (i32.const {milliseconds}))
    (drop (call $write (local.get $out) (i32.const 64) (i32.const 5)))
    (call $log (i32.const 6) (i32.const 104) (i32.const 4))))"#
    )
}

/// A text as WebAssembly text has it between quotes.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}
