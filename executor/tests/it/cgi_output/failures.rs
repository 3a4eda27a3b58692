//! Output that is no answer, and programs that fail before or after they began one.

use wasmcloud_wire::{Outcome, Source};

use super::{all, bad_output};
use crate::app::{DOMAIN, TestExecutor};
use crate::kinds::{KINDS, Kind, Parts};
use crate::wasm::fixture;

#[tokio::test]
async fn output_without_a_header_is_502_and_the_log_quotes_the_line() {
    let app = TestExecutor::start().await;
    for (output, why) in [
        ("", ["the program wrote no output"].as_slice()),
        ("\nbody\n", &["begins with an empty line"]),
        ("<p>hello</p>\n", &["begins without a header", "<p>hello</p>"]),
        (
            "Content-Type: text/plain\nthis is no header field\n\nbody\n",
            &["this is no header field", "line 2", "no colon"],
        ),
        ("Content-Type: text/plain\n", &["ended within the header"]),
    ] {
        bad_output(&app, |kind| kind.prints(output), why).await;
    }
}

#[tokio::test]
async fn fields_that_would_split_or_confuse_an_answer_are_502() {
    let app = TestExecutor::start().await;
    for (output, why) in [
        ("Content-Type: text/plain\nX-Name: a\0b\n\nbody\n", ["control character", "a\\x00b"].as_slice()),
        ("X-Name: a\rb\n\n", &["control character"]),
        ("Status: 200\nStatus: 201\n\n", &["repeated"]),
        ("Content-Type: a/b\nContent-Type: a/b\n\n", &["repeated"]),
        ("Status: 199\n\n", &["no number from 200 to 599", "199"]),
        ("Status: 600\n\n", &["no number from 200 to 599"]),
        ("Content-Length: +5\n\nhello", &["no number of bytes"]),
        ("Location: /%00\n\n", &["cannot be requested"]),
    ] {
        bad_output(&app, |kind| kind.prints(output), why).await;
    }
}

#[tokio::test]
async fn a_non_parsed_header_is_502_with_a_hint() {
    let app = TestExecutor::start().await;
    let output = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbody\n";
    bad_output(&app, |kind| kind.prints(output), &["HTTP status line", "Status: 200 OK"]).await;
}

#[tokio::test]
async fn a_header_block_without_end_is_cut_at_16_kib() {
    let app = TestExecutor::start().await;
    let endless = |kind: Kind| {
        kind.program(
            "X-Filler: and so on ",
            "(loop $more (call $put (i32.const 1024) (i32.const 20)) (br $more))",
        )
    };
    bad_output(&app, endless, &["the header is too large", "16384"]).await;
}

#[tokio::test]
async fn a_trap_before_the_header_is_502_and_the_log_has_the_functions() {
    let traps = |kind: Kind| {
        kind.of(Parts {
            items: "(func $parse_header (unreachable)) (func $handle_request (call $parse_header))",
            start: "(call $handle_request)",
            ..Parts::default()
        })
    };
    for (kind, answer, recorded) in all(traps).await {
        assert_eq!((answer.status, answer.error().code.as_str()), (502, "failed"), "{kind:?}");
        assert!(!answer.text().contains("unreachable"), "{kind:?}");
        let Outcome::Trap { message } = &recorded.receipt.outcome else {
            panic!("{kind:?}: {:?}", recorded.receipt.outcome)
        };
        assert!(
            message.contains("unreachable") && message.contains("in parse_header"),
            "{kind:?}: {message}"
        );
        for function in ["at parse_header", "at handle_request", "at _start"] {
            assert_eq!(recorded.line(function).source, Source::Platform, "{kind:?}");
        }
    }
}

#[tokio::test]
async fn an_exit_before_the_header_is_502_and_closing_an_unknown_resource_too() {
    for (kind, answer, recorded) in all(|kind| kind.program("", "(call $end (i32.const 3))")).await {
        let status = kind.status(3);
        assert_eq!(
            (answer.status, recorded.receipt.outcome.clone()),
            (502, Outcome::Exit { status }),
            "{kind:?}"
        );
        recorded.line(&format!("exited with status {status}"));
    }
    let app = TestExecutor::start().await;
    let (answer, recorded) = app.try_out("hello", &fixture("close_unknown"), |_| ()).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (502, "failed"));
    recorded.line("closed resource 9999, which is not open");
}

#[tokio::test]
async fn a_failure_after_the_header_leaves_a_truncated_answer() {
    let header = "Content-Type: a/b\n\n";
    for (body, then, outcome) in [
        ("the first part", "(call $push) (call $wait (i32.const 20)) (unreachable)", "trap"),
        ("answered before", "(call $push) (call $wait (i32.const 20)) (call $end (i32.const 3))", "exit"),
        ("unflushed", "(unreachable)", "trap"),
        ("", "(call $end (i32.const 1))", "exit"),
    ] {
        for (kind, answer, recorded) in all(|kind| kind.prints_then(&format!("{header}{body}"), then)).await {
            assert_eq!((answer.status, answer.complete), (200, false), "{kind:?} {then}");
            assert_eq!(answer.text(), body, "{kind:?} {then}");
            let receipt = &recorded.receipt;
            assert_eq!((receipt.outcome.kind(), receipt.status), (outcome, Some(200)), "{kind:?} {then}");
            assert_eq!(recorded.lines[0].source, Source::Platform, "{kind:?} {then}");
        }
    }
}

#[tokio::test]
async fn what_comes_after_an_exit_is_not_done() {
    let output = "Content-Type: a/b\n\nbefore";
    let then = "(call $end (i32.const 0)) (call $put (i32.const 1024) (i32.const 1)) (unreachable)";
    for (kind, answer, recorded) in all(|kind| kind.prints_then(output, then)).await {
        assert_eq!((answer.status, answer.text(), answer.complete), (200, "before", true), "{kind:?}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
    }
}

#[tokio::test]
async fn a_failure_after_the_header_of_an_answer_without_a_body_is_502() {
    // There is no body whose truncation the client could see.
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let fails = |output| kind.prints_then(output, "(unreachable)");
        app.deploy(kind.name(), &fails("Content-Type: a/b\n\nbody")).await;
        assert_eq!(app.request("HEAD", kind.name(), "/", None).await.status, 502, "{kind:?}");
        app.deploy(kind.name(), &fails("Status: 204\n\n")).await;
        assert_eq!(app.get(kind.name(), "/").await.status, 502, "{kind:?}");
    }
}

#[tokio::test]
async fn an_http_1_0_client_sees_a_truncated_answer_as_well() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let then = "(call $push) (call $wait (i32.const 20)) (unreachable)";
        app.deploy(kind.name(), &kind.prints_then("Content-Type: a/b\n\nthe first part", then)).await;
        let mut client = app.connect().await;
        client.send(format!("GET / HTTP/1.0\r\nhost: {}.{DOMAIN}\r\n\r\n", kind.name())).await;
        assert_eq!(client.head(false).await.status, 200, "{kind:?}");
        while client.part().await.is_some() {}
        assert!(client.was_reset(), "{kind:?}: the connection ended as if the answer were whole");
    }
}
