//! The panel in a real browser. How to add a story: `cli/tests/browser/run.mjs`.

mod account;
mod entrance;
mod handlers;
mod operator;
mod pages;
mod security;
mod sign_in;
mod walk;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::platform::{Platform, Process};

/// How long a story may take. Only one that fails ever takes so long.
const STORY_MAX: Duration = Duration::from_secs(90);

/// Each of these exports of a file of `cli/tests/browser` is a test on `wasmcloud serve`.
macro_rules! browser_stories {
    [$file:literal: $($story:ident),+ $(,)?] => {
        $( #[test] fn $story() {
            let platform = $crate::platform::Platform::start($crate::platform::Shape::Serve);
            $crate::stories::panel::plays(&platform, $file, stringify!($story), serde_json::json!({}));
        } )+
    };
}
use browser_stories;

/// Plays a story, an export of a file of `cli/tests/browser`, with further facts for it, and expects that it ends well.
#[track_caller]
pub fn plays(platform: &Platform, file: &str, story: &str, facts: Value) {
    let mut all = facts_of(platform, story);
    if let (Some(all), Value::Object(facts)) = (all.as_object_mut(), facts) {
        all.extend(facts);
    }
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(all.to_string().as_bytes()).unwrap();
    std::io::Seek::rewind(&mut input).unwrap();
    let mut command = Command::new("node");
    command.arg(browser_folder().join("run.mjs")).args([file, story]);
    command.env("NODE_EXTRA_CA_CERTS", platform.ca()).env("NO_COLOR", "1").env("FORCE_COLOR", "0");
    command.current_dir(browser_folder());
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = Process::of(&mut command);
    let until = Instant::now() + STORY_MAX;
    while !process.is_over() {
        assert!(Instant::now() < until, "{story}: not within {STORY_MAX:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let code = process.code();
    let said = format!("{}{}", process.stdout.text(), process.stderr.text());
    assert_eq!(code, 0, "{story} of {file}:\n{said}");
}

/// What every story is told.
fn facts_of(platform: &Platform, story: &str) -> Value {
    let operator = platform.admin();
    let environment: serde_json::Map<String, Value> = operator
        .command(&[])
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.into())))
        .collect();
    json!({
        "api": platform.api_url(),
        "edge": platform.url("LABEL"),
        "user": "admin",
        "password": platform.password(),
        "token": operator.token(),
        "binary": env!("CARGO_BIN_EXE_wasmcloud"),
        "environment": environment,
        "fixtures": Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fixtures"),
        "packages": wasmcloud_testkit::browser::folder(),
        "images": std::env::var("WASMCLOUD_SCREENSHOTS").ok(),
        "output": Path::new(env!("CARGO_TARGET_TMPDIR")).join("panel").join(story),
    })
}

fn browser_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

/// WebAssembly text of a program that answers with a page, with these further header fields.
pub fn html(fields: &[&str], page: &str) -> String {
    let mut head = "Content-Type: text/html; charset=utf-8\n".to_owned();
    fields.iter().for_each(|field| head += &format!("{field}\n"));
    let answer = format!("{head}\n{page}");
    let data: String = answer.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
  (import "cwa" "io_get_stdout" (func $stdout (result i32)))
  (import "cwa" "resource_write" (func $write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "{data}")
  (func (export "_start")
    (drop (call $write (call $stdout) (i32.const 32) (i32.const {})))))"#,
        answer.len()
    )
}
