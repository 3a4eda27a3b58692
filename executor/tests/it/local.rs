//! `local::run`: a module without any server.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tempfile::TempDir;
use wasmcloud_executor::local::{Run, RunError, run};
use wasmcloud_wire::{Digest, Level, LimitName, Limits, LogLine, Outcome, Receipt, Source, Trigger};

use crate::app::{request_head, within};
use crate::wasm::{fixture, prints, prints_then, program, wat};

/// Standard output that the test can read.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub struct Ran {
    pub receipt: Receipt,
    pub output: String,
    /// The output as it came, whatever it is.
    pub bytes: Vec<u8>,
    pub lines: Vec<LogLine>,
}

pub fn a_run(module: &[u8]) -> Run {
    Run {
        module: Bytes::copy_from_slice(module),
        name: "parrot".parse().unwrap(),
        args: Vec::new(),
        request: request_head("GET", "/"),
        body: None,
        env: BTreeMap::new(),
        forward_authorization: false,
        limits: Limits::default(),
        count_gas: false,
        wasi_http_3: false,
        urls: Default::default(),
        egress: Default::default(),
    }
}

pub async fn try_run(what: Run) -> Result<Ran, RunError> {
    let cache = TempDir::new().unwrap();
    let (printed, lines) = (Printed::default(), Arc::new(Mutex::new(Vec::new())));
    let log = lines.clone();
    let on_line = move |line: &LogLine| log.lock().unwrap().push(line.clone());
    let receipt = within("the run ends", run(what, cache.path(), printed.clone(), on_line)).await?;
    let bytes = printed.0.lock().unwrap().clone();
    let output = String::from_utf8_lossy(&bytes).into_owned();
    let lines = lines.lock().unwrap().clone();
    Ok(Ran { receipt, output, bytes, lines })
}

pub async fn ran(what: Run) -> Ran {
    try_run(what).await.unwrap()
}

#[tokio::test]
async fn a_run_prints_what_the_program_writes_and_needs_no_cgi_header() {
    let ran = ran(a_run(&prints("no header at all"))).await;
    assert_eq!(ran.output, "no header at all");
    assert_eq!(ran.receipt.outcome, Outcome::Ok);
    assert!(ran.lines.is_empty());
}

#[tokio::test]
async fn a_run_has_its_arguments() {
    let what = Run { args: vec!["one".into(), "two words".into()], ..a_run(&fixture("args")) };
    assert_eq!(
        ran(what).await.output,
        "Content-Type: text/plain\n\n3\nparrot\none\ntwo words\nparr\n-2\n-2\n"
    );
}

#[tokio::test]
async fn a_run_has_its_own_environment_and_the_requests() {
    let env = BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]);
    let what = Run { env, request: request_head("GET", "/?GREETING"), ..a_run(&fixture("env")) };
    assert!(ran(what).await.output.ends_with("\n\nhello"));
    let all = ran(a_run(&fixture("env"))).await.output;
    for line in ["GATEWAY_INTERFACE=CGI/1.1\n", "PATH_INFO=/\n", "REQUEST_METHOD=GET\n", "WORKER_ID=local\n"]
    {
        assert!(all.contains(line), "{line} in {all}");
    }
    assert!(!all.contains("CONTENT_LENGTH"));
}

#[tokio::test]
async fn a_run_reads_its_body_from_standard_input() {
    let what = Run { body: Some(Bytes::from_static(b"from outside")), ..a_run(&fixture("echo")) };
    let ran = ran(what).await;
    assert!(ran.output.ends_with("\n\nfrom outside"));
    assert_eq!(ran.receipt.bytes_in, 12);
}

#[tokio::test]
async fn a_runs_receipt_says_what_it_used_and_names_no_handler() {
    let module = prints("hello");
    let Ran { receipt, .. } = ran(a_run(&module)).await;
    assert_eq!((receipt.handler, receipt.status, receipt.trigger), (None, None, Trigger::Run));
    assert_eq!((receipt.digest, receipt.executor.as_str()), (Digest::of(&module), "local"));
    assert_eq!((receipt.method.as_str(), receipt.path.as_str()), ("GET", "/"));
    assert_eq!((receipt.bytes_out, receipt.memory_peak_bytes), (5, 65_536));
    assert_eq!(
        receipt.host_calls,
        BTreeMap::from([("io_get_stdout".to_owned(), 1), ("resource_write".to_owned(), 1)])
    );
    assert!(receipt.gas > 0);
}

#[tokio::test]
async fn a_runs_log_is_told_while_it_runs() {
    let ran = ran(a_run(&fixture("stderr"))).await;
    let first = &ran.lines[0];
    assert_eq!((first.text.as_str(), first.source, first.level), ("first line", Source::Stderr, Level::INFO));
    assert_eq!(ran.receipt.log_lines as usize, ran.lines.len());
}

#[tokio::test]
async fn a_run_that_ends_with_a_status_has_it_in_its_receipt() {
    let ran = ran(a_run(&prints_then("partly", "(call $exit (i32.const 3))"))).await;
    assert_eq!((ran.output.as_str(), ran.receipt.outcome), ("partly", Outcome::Exit { status: 3 }));
}

#[tokio::test]
async fn a_run_beyond_its_gas_or_its_time_is_ended_and_told_how_to_raise_the_limit() {
    for (limits, limit, flag) in [
        (Limits { gas: 10_000, ..Limits::default() }, LimitName::Gas, "--gas"),
        (Limits { wall_ms: 200, gas: u64::MAX >> 1, ..Limits::default() }, LimitName::Wall, "--wall-ms"),
    ] {
        let ran = ran(Run { limits, ..a_run(&fixture("infinite_loop")) }).await;
        let Outcome::Limit { limit: hit, message } = &ran.receipt.outcome else {
            panic!("{:?}", ran.receipt.outcome)
        };
        assert_eq!(*hit, limit);
        assert!(message.contains(flag), "{message}");
        assert!(ran.lines[0].text.contains(message), "{:?}", ran.lines);
    }
}

#[tokio::test]
async fn a_runs_output_is_cut_at_its_limit() {
    let limits = Limits { response_bytes: 1_000, ..Limits::default() };
    let ran = ran(Run { limits, ..a_run(&fixture("endless_output")) }).await;
    assert!(matches!(ran.receipt.outcome, Outcome::Limit { limit: LimitName::Response, .. }));
    assert!(ran.output.len() <= 1_000);
}

#[tokio::test]
async fn a_run_whose_output_nobody_takes_ends() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let cache = TempDir::new().unwrap();
    let running = run(a_run(&fixture("endless_output")), cache.path(), Closed, |_| ());
    assert_eq!(within("the run ends", running).await.unwrap().outcome, Outcome::Cancelled);
}

#[tokio::test]
async fn a_trap_is_told_with_the_functions_that_led_to_it() {
    let ran = ran(a_run(&fixture("trap"))).await;
    let Outcome::Trap { message } = &ran.receipt.outcome else { panic!("{:?}", ran.receipt.outcome) };
    assert!(message.contains("unreachable") && message.contains("parse_header"), "{message}");
    let frames: Vec<&str> = ran.lines.iter().map(|line| line.text.trim()).collect();
    for (line, function) in [(1, "parse_header"), (2, "handle_request"), (3, "_start")] {
        assert!(frames[line].starts_with(&format!("at {function} ")), "{frames:?}");
    }
}

#[tokio::test]
async fn what_cannot_run_is_refused_before_anything_runs() {
    for (module, code) in [
        (b"\x7fELF not wasm".to_vec(), "not_wasm"),
        (fixture("unknown_import"), "unmet_import"),
        (fixture("wrong_type"), "unmet_import"),
        (fixture("missing_start"), "missing_entry"),
        (fixture("missing_memory"), "missing_memory"),
        (fixture("big_memory"), "over_limit"),
        (fixture("threads"), "unsupported_feature"),
    ] {
        match try_run(a_run(&module)).await {
            Err(RunError::Refused(refusal)) => assert_eq!(refusal.code, code, "{refusal:?}"),
            other => panic!("{code}: {:?}", other.map(|ran| ran.receipt)),
        }
    }
}

#[tokio::test]
async fn a_request_that_no_program_can_be_asked_is_refused() {
    let what = Run { request: request_head("GET", "/%00"), ..a_run(&prints("never")) };
    assert!(matches!(try_run(what).await, Err(RunError::BadRequest(_))));
}

#[tokio::test]
async fn a_segment_that_does_not_fit_into_memory_is_the_programs_own_failure() {
    let module = wat(
        r#"(module (memory (export "memory") 1) (data (i32.const 65535) "ab") (func (export "_start")))"#,
    );
    let ran = ran(a_run(&module)).await;
    assert!(matches!(&ran.receipt.outcome, Outcome::Trap { .. }), "{:?}", ran.receipt.outcome);
}

#[tokio::test]
async fn a_program_may_have_a_start_function_before_its_entry() {
    let module = program("", "");
    assert_eq!(ran(a_run(&module)).await.receipt.outcome, Outcome::Ok);
    let module = wat(r#"(module
        (import "cwa" "runtime_exit" (func $exit (param i32)))
        (global $started (mut i32) (i32.const 0))
        (func $begin (global.set $started (i32.const 41)))
        (start $begin)
        (func (export "_start") (call $exit (i32.add (global.get $started) (i32.const 1)))))"#);
    assert_eq!(ran(a_run(&module)).await.receipt.outcome, Outcome::Exit { status: 42 });
}
