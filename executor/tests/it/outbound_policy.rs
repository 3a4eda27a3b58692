//! What a handler's policy lets a program open, and what becomes of what it does not.

use wasmcloud_executor::egress::Egress;
use wasmcloud_executor::local::Run;
use wasmcloud_wire::{Outcome, PolicyMode, UrlPolicy};

use crate::app::TestExecutor;
use crate::far::{Reply, Server, allowing, ok, open, printed, remote, script, strings};
use crate::http::line;
use crate::local::ran;
use crate::wasm::fixture;

#[tokio::test]
async fn a_url_that_no_rule_allows_is_denied_with_the_command_that_allows_it() {
    let server = Server::start(|_| ok("hello")).await;
    let open = format!("o{}", server.url("/a"));
    let denied = ran(Run { urls: allowing(&[]), ..remote(&[&open, &open]) }).await;
    assert_eq!(printed(&denied.output), "o -3\no -3\n");
    let rule = format!("^http://127\\.0\\.0\\.1:{}/a$", server.port());
    let command = format!("allow it: wasmcloud run --allow '{rule}' …");
    assert!(line(&denied, "the policy does not let").ends_with(&command), "{:?}", denied.lines);
    assert_eq!(denied.receipt.outbound.denied, [server.url("/a")]);
    assert_eq!((denied.receipt.outbound.requests, server.accepted()), (0, 0));
    // The rule that it says is the one that it needs.
    let allowed = ran(Run { urls: allowing(&[&rule]), ..remote(&[&open]) }).await;
    assert_eq!(denied.receipt.outcome, Outcome::Ok);
    assert!(allowed.receipt.outbound.denied.is_empty());
}

#[tokio::test]
async fn the_path_that_is_requested_is_checked_and_not_only_the_one_that_was_opened() {
    let server = Server::start(|_| ok("hello")).await;
    let urls = UrlPolicy { disallow: strings(&["/admin"]), ..allowing(&[".*"]) };
    let open = format!("o{}", server.url("/"));
    let run = remote(&[&open, "wGET /%61dmin/x HTTP/1.1\n\n", "f", "r10"]);
    let ran = ran(Run { urls, ..run }).await;
    assert!(printed(&ran.output).ends_with("f -3\nr -3\n"), "{}", ran.output);
    assert!(line(&ran, "disallows it").contains("'/admin'"));
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_handlers_owner_is_told_the_command_for_the_handler() {
    let server = Server::start(|_| ok("hello")).await;
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    app.deploy_with("hello", &fixture("remote"), |deployment| {
        deployment.urls = UrlPolicy { disallow: strings(&["/b"]), ..allowing(&[".*/b"]) };
    })
    .await;
    let steps = script(&[&format!("o{}", server.url("/a")), &format!("o{}", server.url("/b"))]);
    let answer = app.post("hello", "/", &steps).await;
    assert_eq!(answer.text(), "o -3\no -3\n");
    let recorded = app.recorded(&answer).await;
    let command = format!("wasmcloud policy allow hello '^http://127\\.0\\.0\\.1:{}/a$'", server.port());
    assert!(recorded.line("no rule allows it").text.ends_with(&command), "{:?}", recorded.texts());
    assert!(recorded.line("disallows it").text.ends_with("wasmcloud policy remove hello '/b'"));
    assert_eq!(recorded.receipt.outbound.denied, [server.url("/a"), server.url("/b")]);
}

#[tokio::test]
async fn a_policy_that_ends_programs_ends_them_for_schemes_within_as_well() {
    let app = TestExecutor::start_reaching(Egress::new(open()).unwrap()).await;
    app.deploy_with("hello", &fixture("remote"), |deployment| {
        deployment.urls = UrlPolicy { mode: PolicyMode::End, ..allowing(&["^null://"]) };
    })
    .await;
    for url in ["http://a.example/", "random://"] {
        let answer = app.post("hello", "/", &script(&["onull://", &format!("o{url}"), "onull://"])).await;
        assert_eq!((answer.status, answer.error().code.as_str()), (502, "denied"), "{url}");
        let recorded = app.recorded(&answer).await;
        let Outcome::Denied { message } = &recorded.receipt.outcome else {
            panic!("{:?}", recorded.receipt.outcome)
        };
        assert!(message.contains(url) && message.contains("wasmcloud policy allow hello"), "{message}");
        assert!(recorded.line(message).text.starts_with("ended by its policy"));
        assert_eq!(recorded.receipt.outbound.denied.len(), 1);
        assert_eq!(recorded.receipt.host_calls["resource_open"], 2);
    }
}

#[tokio::test]
async fn a_policy_that_observes_opens_everything_and_records_it() {
    let server = Server::start(|_| {
        Reply::Send(b"HTTP/1.1 302 Found\r\nLocation: /c\r\nContent-Length: 0\r\n\r\n".to_vec())
    })
    .await;
    let urls = UrlPolicy { mode: PolicyMode::Observe, ..allowing(&["/a$"]) };
    let open = format!("o{}", server.url("/b"));
    let ran = ran(Run { urls, ..remote(&[&open, "wGET /b HTTP/1.1\n\n", "f", "ozero://"]) }).await;
    assert_eq!(ran.receipt.outbound.denied, [server.url("/b"), server.url("/c")]);
    assert!(printed(&ran.output).ends_with(" 3\n"), "{}", ran.output);
    assert!(server.accepted() > 0);
}
