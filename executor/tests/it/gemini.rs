//! `gemini://`: one line goes out, the answer comes in, and a server has to be the one that it was.

use serde_json::{Map, Value};
use wasmcloud_executor::egress::Egress;
use wasmcloud_wire::{Deployment, Outcome};

use crate::app::TestExecutor;
use crate::far::{Reply, Server, allowing, certificate, open, printed, remote, script};
use crate::local::ran;
use crate::wasm::fixture;

fn answer(_: &str) -> Reply {
    Reply::Send(b"20 text/gemini\r\n# Tea\r\n".to_vec())
}

const READ: &str = "20 text/gemini\r\n# Tea\r\n";

fn url(server: &Server, path: &str) -> String {
    format!("gemini://{}{path}", server.addr)
}

#[tokio::test]
async fn a_line_is_sent_when_it_is_flushed_or_first_read_and_the_answer_read_to_its_end() {
    for flush in [&["f"][..], &[]] {
        let server = Server::start_gemini(certificate("far.example").1, answer).await;
        let (open, line) = (format!("o{}", url(&server, "/")), format!("w{}\r\n", url(&server, "/x")));
        let run = remote(&[&[open.as_str(), &line][..], flush, &["a", "r9", "c"]].concat());
        let ran = ran(run).await;
        let said = format!("a{READ} -5\nr -5\nc 0\n");
        assert!(printed(&ran.output).ends_with(&said), "{:?} {:?}", ran.output, ran.lines);
        assert_eq!(server.requests(), [format!("{}\r\n", url(&server, "/x"))]);
        assert_eq!(ran.receipt.outbound.requests, 1);
        assert_eq!(ran.receipt.outbound.bytes_received, READ.len() as u64);
        assert_eq!(ran.receipt.outcome, Outcome::Ok);
    }
}

#[tokio::test]
async fn what_is_no_request_for_the_opened_host_is_not_sent() {
    let server = Server::start_gemini(certificate("far.example").1, answer).await;
    let open = format!("o{}", url(&server, "/"));
    for (steps, said) in [
        (vec!["wgemini://evil.example/\r\n".to_owned(), "f".into()], "f -2\n"),
        (vec![format!("w{}", url(&server, "/")), "f".into()], "f -2\n"),
        (vec!["r9".to_owned()], "r -2\n"),
        (vec![format!("w{}", "x".repeat(1_027))], "w -2\n"),
    ] {
        let steps: Vec<&str> =
            std::iter::once(open.as_str()).chain(steps.iter().map(String::as_str)).collect();
        let ran = ran(remote(&steps)).await;
        assert!(printed(&ran.output).ends_with(said), "{steps:?}: {}", ran.output);
        assert_eq!(ran.lines.len(), 1, "{:?}", ran.lines);
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_cut() {
    let server =
        Server::start_gemini(certificate("far.example").1, |_| Reply::Endless(b"20 text/plain\r\n".to_vec()))
            .await;
    let (open, line) = (format!("o{}", url(&server, "/")), format!("w{}\r\n", url(&server, "/")));
    let mut run = remote(&[&open, &line, "f", "a"]);
    run.egress.limits.response_bytes_max = 50_000;
    let ran = ran(run).await;
    assert!(ran.output.ends_with(" -1\n"), "{:?}", ran.lines);
    assert!(ran.lines.iter().any(|line| line.text.contains("larger than 50000 bytes")), "{:?}", ran.lines);
    server.left_alone().await;
}

#[tokio::test]
async fn a_server_is_trusted_on_first_use_and_then_only_with_the_same_certificate() {
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    let allow = |deployment: &mut Deployment| deployment.urls = allowing(&[".*"]);
    let hello = app.deploy_with("hello", &fixture("remote"), allow).await;
    app.deploy_with("other", &fixture("remote"), allow).await;
    let first = Server::start_gemini(certificate("far.example").1, answer).await;
    let steps = |server: &Server| {
        let url = url(server, "/");
        script(&[&format!("o{url}"), &format!("w{url}\r\n"), "f", "r99"])
    };
    for _ in 0..2 {
        let answer = app.post("hello", "/", &steps(&first)).await;
        assert!(answer.text().contains(READ), "{}", answer.text());
    }
    // Another server takes the place of the first.
    let port = first.port();
    let second = first.replaced(certificate("far.example").1, answer).await;
    assert_eq!(second.port(), port);
    let answer = app.post("hello", "/", &steps(&second)).await;
    assert!(answer.text().ends_with("f -3\nr -3\n"), "{}", answer.text());
    let recorded = app.recorded(&answer).await;
    let line = &recorded.line("another certificate than before").text;
    let host = second.addr.to_string();
    for part in ["operator", &host, &hello.handler.to_string()] {
        assert!(line.contains(part), "{line}");
    }
    let file = app.gemini_file(hello.handler);
    let dir = file.parent().unwrap().to_str().unwrap();
    assert!(!recorded.texts().iter().any(|text| text.contains(dir)), "{:?}", recorded.texts());
    assert!(second.requests().is_empty());
    // What the operator can do about it.
    let mut seen: Map<String, Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(seen.remove(&host).is_some(), "{seen:?}");
    std::fs::write(&file, serde_json::to_vec(&seen).unwrap()).unwrap();
    let answer = app.post("hello", "/", &steps(&second)).await;
    assert!(answer.text().contains(READ), "{}", answer.text());
    // Who has not seen the first one trusts the second.
    let answer = app.post("other", "/", &steps(&second)).await;
    assert!(answer.text().contains(READ), "{}", answer.text());
}
