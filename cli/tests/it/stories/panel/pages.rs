use serde_json::json;

use super::{browser_stories, plays};
use crate::platform::{Platform, Shape, olin_echo, saying};

browser_stories!["screenshots.mjs": the_pages_that_the_docs_show_look_right];

#[test]
fn what_a_program_writes_never_runs() {
    let platform = Platform::start(Shape::Serve);
    platform.admin().create_of("hostile", HOSTILE);
    plays(&platform, "hostile.mjs", "what_a_program_writes_never_runs", json!({}));
}

#[test]
fn the_main_actions_need_no_javascript() {
    let platform = Platform::start(Shape::Serve);
    let other = platform.admin().file("other.wat", saying("other"));
    let facts = json!({ "module": olin_echo(), "other": other });
    plays(&platform, "without_scripts.mjs", "the_main_actions_need_no_javascript", facts);
}

/// Logs HTML and answers with it, in a field of the head as well.
const HOSTILE: &str = r#"(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (import "cwa" "log_write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "Content-Type: text/html\0aX-Markup: ")
  (data (i32.const 34) "<img src=/pwned onerror=\"window.pwned=1\"><script>window.pwned=1</script>")
  (data (i32.const 106) "\0a\0a")
  (func (export "_start")
    (call $log (i32.const 6) (i32.const 34) (i32.const 72))
    (drop (call $write (call $stdout) (i32.const 0) (i32.const 108)))
    (drop (call $write (call $stdout) (i32.const 34) (i32.const 72)))))"#;
