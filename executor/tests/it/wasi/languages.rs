//! Every program of `examples/calls.toml`, as its toolchain built it, deployed and called.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wasmcloud_executor::egress::Egress;
use wasmcloud_wire::{Abi, Invoker as _, Outcome};

use crate::app::{DOMAIN, TestExecutor};
use crate::far::{Server, allowing, ok, open};

/// JavaScript's and Python's engines are large; they are compiled once, on a machine that may be busy.
const COMPILING: Duration = Duration::from_secs(300);

#[derive(Deserialize)]
struct Calls {
    program: Vec<Program>,
    call: BTreeMap<String, Call>,
}

#[derive(Deserialize)]
struct Program {
    name: String,
    abi: Abi,
    language: String,
    calls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Call {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
    status: u16,
    content_type: String,
    text: Option<String>,
    contains: Option<String>,
    json: Option<BTreeMap<String, serde_json::Value>>,
}

/// A module of `cargo xtask guests`.
pub fn guest(name: &str) -> Vec<u8> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("guests").join(name).with_extension("wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask guests` first", path.display()))
}

fn calls() -> Calls {
    toml::from_str(include_str!("../../../../examples/calls.toml")).unwrap()
}

impl Call {
    async fn make(&self, app: &TestExecutor, program: &Program, url: &str) {
        let filled = |text: &str| text.replace("{language}", &program.language).replace("{url}", url);
        let said = format!("{} {} of {}", self.method, self.path, program.name);
        let mut head = format!("{} {} HTTP/1.1\r\nhost: guest.{DOMAIN}\r\n", self.method, filled(&self.path));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        let answer = app.raw(format!("{head}\r\n{body}")).await;
        let recorded = app.recorded(&answer).await;
        let context = format!("{said}: {} {:?} {:?}", answer.status, answer.text(), recorded.texts());
        assert_eq!(answer.status, self.status, "{context}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{context}");
        assert!(answer.complete, "{context}");
        let kind = answer.header("content-type").unwrap_or_default().split(';').next().unwrap();
        assert_eq!(kind, self.content_type, "{context}");
        if let Some(text) = &self.text {
            assert_eq!(answer.text(), filled(text), "{context}");
        }
        if let Some(part) = &self.contains {
            assert!(answer.text().contains(&filled(part)), "{context}");
        }
        if let Some(json) = &self.json {
            let answered: BTreeMap<String, serde_json::Value> = serde_json::from_str(answer.text()).unwrap();
            for (name, value) in json {
                let value = match value.as_str() {
                    Some(text) => filled(text).into(),
                    None => value.clone(),
                };
                assert_eq!(answered.get(name), Some(&value), "{context}");
            }
        }
    }
}

/// Deploys the programs of a language, and makes their calls.
async fn speaks(language: &str) {
    let server = Server::start(|_| ok("tea")).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    let Calls { program, call } = calls();
    let programs: Vec<Program> = program.into_iter().filter(|program| program.language == language).collect();
    assert!(!programs.is_empty(), "nothing is written in {language}");
    for program in &programs {
        let deployment = app.store("guest", &guest(&program.name), |deployment| {
            deployment.urls = allowing(&["^http://127\\.0\\.0\\.1:[0-9]+/$"]);
            // What compiles once takes its time to begin with as well, without optimizations.
            deployment.limits.cpu_ms = 10_000;
        });
        let prepared = tokio::time::timeout(COMPILING, app.executor.prepare(&deployment.digest)).await;
        let inspection = prepared.expect("it is compiled in time").unwrap();
        assert_eq!(inspection.abi, program.abi, "{}", program.name);
        app.announce("guest").await;
        for name in &program.calls {
            call[name].make(&app, program, &server.url("/")).await;
        }
    }
}

#[tokio::test]
async fn programs_in_rust_answer() {
    speaks("Rust").await;
}

#[tokio::test]
async fn programs_in_c_and_zig_answer() {
    speaks("C").await;
    speaks("Zig").await;
}

#[tokio::test]
async fn programs_in_go_answer() {
    speaks("Go").await;
}

#[tokio::test]
async fn programs_in_assemblyscript_answer() {
    speaks("AssemblyScript").await;
}

#[tokio::test]
async fn programs_in_javascript_answer() {
    speaks("JavaScript").await;
}

#[tokio::test]
async fn programs_in_python_answer() {
    speaks("Python").await;
}

#[test]
fn every_language_has_its_test() {
    let languages: Vec<String> = calls().program.into_iter().map(|program| program.language).collect();
    for language in languages {
        assert!(
            ["Rust", "C", "Zig", "Go", "AssemblyScript", "JavaScript", "Python"].contains(&&*language),
            "{language}"
        );
    }
}
