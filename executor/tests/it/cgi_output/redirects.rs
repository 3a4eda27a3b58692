//! What `Location` does: another place for the client, or another request to the same handler.

use wasmcloud_wire::{Event, LimitName, Outcome};

use super::{all, documents};
use crate::app::{TestExecutor, call};
use crate::invoker::events;
use crate::kinds::{KINDS, Kind};
use crate::wasm::fixture;

#[tokio::test]
async fn an_absolute_location_redirects_the_client_without_a_body() {
    for (kind, answer) in documents("Location: https://example.com/elsewhere?a=b\n\n").await {
        assert_eq!((answer.status, answer.text()), (302, ""), "{kind:?}");
        assert_eq!(answer.header("location"), Some("https://example.com/elsewhere?a=b"), "{kind:?}");
        assert_eq!(answer.header("content-length"), Some("0"), "{kind:?}");
    }
    let output = "Status: 303\nLocation: /local\nContent-Type: text/plain\n\nsee there";
    for (kind, answer) in documents(output).await {
        assert_eq!((answer.status, answer.text()), (303, "see there"), "{kind:?}");
        assert_eq!(answer.header("location"), Some("/local"), "{kind:?}");
    }
}

/// A program that sends a request with a body on to `/landed`, and answers one without. Its `PATH_INFO` would
/// tell as much, but each kind has its own way to that; a redirected request has no body.
fn redirects_once(kind: Kind) -> Vec<u8> {
    kind.program(
        "Location: /landed?from=redirect\n\nContent-Type: text/plain\n\nlanded\n",
        "(if (call $take (i32.const 4096) (i32.const 1))
           (then (call $put (i32.const 1024) (i32.const 33)))
           (else (call $put (i32.const 1057) (i32.const 33))))",
    )
}

#[tokio::test]
async fn a_local_redirect_is_served_by_the_same_handler() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &redirects_once(kind)).await;
        let answer = app.post(kind.name(), "/", b"x").await;
        assert_eq!((answer.status, answer.text()), (200, "landed\n"), "{kind:?}");
        assert_eq!(answer.header("location"), None, "{kind:?}");
        let receipt = app.recorded(&answer).await.receipt;
        assert_eq!((receipt.outcome, receipt.path.as_str()), (Outcome::Ok, "/"), "{kind:?}");
        // Both runs are in one receipt.
        assert_eq!(receipt.bytes_out, 66, "{kind:?}");
        assert!(receipt.host_calls[kind.write_call()] >= 2, "{kind:?}: {:?}", receipt.host_calls);
    }
    // And by its path, as programs do it that look where they are.
    let (answer, recorded) = app.try_out("olin", &fixture("local_redirect"), |_| ()).await;
    assert_eq!((answer.status, answer.text()), (200, "landed\n"));
    assert_eq!(recorded.receipt.host_calls["io_get_stdout"], 2);
}

#[tokio::test]
async fn a_local_redirect_works_below_a_prefix_after_a_post_and_for_head() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let name = kind.name();
        app.deploy(name, &redirects_once(kind)).await;
        let post = format!("POST /~{name}/from HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\n\r\nbody");
        let answer = app.raw(post).await;
        assert_eq!((answer.status, answer.text()), (200, "landed\n"), "{kind:?}");
        let head = app.request("HEAD", name, "/from", Some(b"x")).await;
        assert_eq!((head.status, head.text()), (200, ""), "{kind:?}");
    }
}

#[tokio::test]
async fn a_handler_that_redirects_to_itself_without_end_is_508() {
    for (kind, answer, recorded) in all(|kind| kind.prints("Location: /again\n\n")).await {
        assert_eq!((answer.status, answer.error().code.as_str()), (508, "loop"), "{kind:?}");
        let receipt = &recorded.receipt;
        assert!(
            matches!(&receipt.outcome, Outcome::Limit { limit: LimitName::LocalRedirects, .. }),
            "{kind:?}: {:?}",
            receipt.outcome
        );
        assert_eq!(receipt.status, Some(508), "{kind:?}");
        // The request itself, and five redirects.
        assert_eq!(receipt.bytes_out, 6 * 18, "{kind:?}");
        let line = recorded.line("local redirect limit: 5");
        assert!(line.text.contains("/again"), "{kind:?}: {}", line.text);
    }
}

#[tokio::test]
async fn all_redirects_of_a_request_share_its_gas() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let mut deployment = app.deploy(kind.name(), &kind.prints("Location: /again\n\n")).await;
        let mut spent = Vec::new();
        for half in [false, true] {
            if half {
                deployment.limits.gas = spent[0] / 2;
            }
            let mut call = call(&deployment, "/");
            call.count_gas = true;
            let events = events(&app, call).await;
            let Some(Event::End { receipt }) = events.last() else { panic!("{kind:?}: {events:?}") };
            let limit = if half { LimitName::Gas } else { LimitName::LocalRedirects };
            assert!(
                matches!(&receipt.outcome, Outcome::Limit { limit: hit, .. } if *hit == limit),
                "{kind:?}: {:?}",
                receipt.outcome
            );
            spent.push(receipt.gas);
        }
        assert_eq!(spent[1], spent[0] / 2, "{kind:?}");
    }
}
