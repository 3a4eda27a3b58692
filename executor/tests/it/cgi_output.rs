//! A program's output as the client sees it: items 11 to 17 of the CGI checklist, over real HTTP, of programs of
//! every kind that speaks CGI.

use wasmcloud_wire::{Event, Level, LimitName, Outcome, Source};

use crate::app::{DOMAIN, TestExecutor, call};
use crate::client::Answer;
use crate::control::Recorded;
use crate::invoker::events;
use crate::kinds::{KINDS, Kind, Parts};
use crate::wasm::fixture;

/// Asks a program of each kind once.
async fn all(program: impl Fn(Kind) -> Vec<u8>) -> Vec<(Kind, Answer, Recorded)> {
    let app = TestExecutor::start().await;
    let mut all = Vec::new();
    for kind in KINDS {
        let (answer, recorded) = app.try_out(kind.name(), &program(kind), |_| ()).await;
        all.push((kind, answer, recorded));
    }
    all
}

/// This output is no CGI answer, and the log says why.
async fn bad_output(app: &TestExecutor, program: impl Fn(Kind) -> Vec<u8>, why: &[&str]) {
    for kind in KINDS {
        let (answer, recorded) = app.try_out(kind.name(), &program(kind), |_| ()).await;
        let told = (answer.status, answer.error().code);
        assert_eq!(told, (502, "bad_output".to_owned()), "{kind:?} {why:?}");
        assert_eq!(recorded.receipt.status, Some(502), "{kind:?}");
        let Outcome::BadOutput { message } = &recorded.receipt.outcome else {
            panic!("{kind:?} {why:?}: {:?}", recorded.receipt.outcome)
        };
        for part in why {
            assert!(message.contains(part), "{kind:?}: {part:?} in {message:?}");
            assert!(
                !answer.text().contains(part),
                "{kind:?}: the client is told the cause: {}",
                answer.text()
            );
        }
        let line = recorded.line(message);
        assert_eq!((line.source, line.level), (Source::Platform, Level::ERROR), "{kind:?}");
    }
}

/// The answers with this output are whole.
async fn documents(output: &str) -> Vec<(Kind, Answer)> {
    let mut documents = Vec::new();
    for (kind, answer, recorded) in all(|kind| kind.prints(output)).await {
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?} {output:?}");
        assert!(answer.complete, "{kind:?} {output:?}");
        documents.push((kind, answer));
    }
    documents
}

#[tokio::test]
async fn line_ends_may_be_lf_or_crlf() {
    for output in ["Content-Type: text/x\n\nbody\r\n", "Content-Type: text/x\r\n\r\nbody\r\n"] {
        for (kind, answer) in documents(output).await {
            assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/x")), "{kind:?}");
            assert_eq!((answer.text(), answer.header("content-length")), ("body\r\n", Some("6")), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_status_and_every_field_reach_the_client_each_cookie_in_its_own() {
    let output = "Status: 201 Created\r\nContent-Type: application/json\r\nX-Greeting: hello\r\nVary: Accept\r\n\
                  Vary: Cookie\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; HttpOnly\r\n\r\n{}";
    for (kind, answer, recorded) in all(|kind| kind.prints(output)).await {
        assert_eq!((answer.status, answer.text()), (201, "{}"), "{kind:?}");
        assert_eq!(answer.header("x-greeting"), Some("hello"), "{kind:?}");
        assert_eq!(answer.all("vary"), ["Accept", "Cookie"], "{kind:?}");
        assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "b=2; HttpOnly"], "{kind:?}");
        assert_eq!(recorded.receipt.status, Some(201), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_the_connections_or_the_hosts_is_stripped() {
    let documents = documents(
        "Content-Type: text/plain\nConnection: close, X-Private\nX-Private: 1\nTransfer-Encoding: gzip\n\
         X-Sendfile: /etc/passwd\nX-Accel-Redirect: /secret\nAlt-Svc: h3\nStrict-Transport-Security: max-age=1\n\
         Keep-Alive: 5\nUpgrade: h2c\nWasmcloud-Invocation: forged\nX-Kept: yes\n\nbody",
    )
    .await;
    for (kind, answer) in documents {
        let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "connection",
            "x-private",
            "transfer-encoding",
            "x-sendfile",
            "x-accel-redirect",
            "alt-svc",
            "strict-transport-security",
            "keep-alive",
            "upgrade",
        ] {
            assert!(!names.contains(&name), "{kind:?}: {name} in {names:?}");
        }
        assert_eq!((answer.header("x-kept"), answer.text()), (Some("yes"), "body"), "{kind:?}");
        // There is one, and it is an invocation's id.
        answer.invocation();
    }
}

#[tokio::test]
async fn a_cookie_stays_with_its_own_host() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let output = format!(
            "Set-Cookie: a=1; Domain=.localhost; Path=/\nSet-Cookie: b=2; Domain={}.localhost\n\
             Content-Type: text/plain\n\nx",
            kind.name()
        );
        let (answer, _) = app.try_out(kind.name(), &kind.prints(&output), |_| ()).await;
        let own = format!("b=2; Domain={}.localhost", kind.name());
        assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", &own], "{kind:?}");
    }
}

#[tokio::test]
async fn statuses_without_a_body_have_none() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        for status in ["204 No Content", "304 Not Modified"] {
            let output = format!("Status: {status}\nX-A: b\n\nnot to be seen");
            app.deploy(kind.name(), &kind.prints(&output)).await;
            let mut client = app.connect().await;
            for _ in 0..2 {
                // The second answer shows that nothing of the first was left over.
                client.send(format!("GET / HTTP/1.1\r\nhost: {}.{DOMAIN}\r\n\r\n", kind.name())).await;
                let answer = client.answer(false).await;
                assert_eq!(answer.status, status[..3].parse::<u16>().unwrap(), "{kind:?}");
                assert_eq!((answer.text(), answer.header("content-length")), ("", None), "{kind:?}");
            }
        }
    }
}

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

#[tokio::test]
async fn head_drops_the_body_and_keeps_the_programs_length() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let handler = kind.name();
        for (output, length) in [
            ("Content-Type: text/plain\n\nbody", None),
            ("Content-Type: text/plain\nContent-Length: 4\n\nbody", Some("4")),
        ] {
            app.deploy(handler, &kind.prints(output)).await;
            let mut client = app.connect().await;
            for _ in 0..2 {
                client.send(format!("HEAD / HTTP/1.1\r\nhost: {handler}.{DOMAIN}\r\n\r\n")).await;
                let answer = client.answer(true).await;
                assert_eq!((answer.status, answer.header("content-length")), (200, length), "{kind:?}");
                assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok, "{kind:?}");
            }
        }
    }
}

/// Answers in four parts, each sent before the next is written.
fn slow_stream(kind: Kind) -> Vec<u8> {
    kind.prints_then(
        "Content-Type: text/plain\n\n",
        "(loop $more
           (i64.store (i32.const 4096) (i64.const 0x0a2e7472617020))
           (call $put (i32.const 4096) (i32.const 7))
           (call $push)
           (call $wait (i32.const 50))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $more (i32.lt_u (local.get $i) (i32.const 4))))",
    )
}

#[tokio::test]
async fn head_of_an_answer_that_is_flushed_is_no_client_that_went_away() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &slow_stream(kind)).await;
        let answer = app.request("HEAD", kind.name(), "/", None).await;
        assert_eq!((answer.status, answer.text()), (200, ""), "{kind:?}");
        assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok, "{kind:?}");
    }
}

#[tokio::test]
async fn head_of_a_large_document_is_not_above_the_response_limit() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        let output = "Content-Type: text/plain\nContent-Length: 999999999999\n\n";
        app.deploy(kind.name(), &kind.prints(output)).await;
        let answer = app.request("HEAD", kind.name(), "/", None).await;
        let length = answer.header("content-length");
        assert_eq!((answer.status, length), (200, Some("999999999999")), "{kind:?}");
    }
}

#[tokio::test]
async fn a_small_body_that_disagrees_with_its_length_is_corrected_and_the_log_says_so() {
    for (length, body, said) in [
        ("600", "hello\n", "Content-Length is 600, but the body has 6 bytes"),
        ("3", "hel", "Content-Length is 3, but the body has 6 bytes"),
    ] {
        let output = format!("Content-Type: text/plain\nContent-Length: {length}\n\nhello\n");
        for (kind, answer, recorded) in all(|kind| kind.prints(&output)).await {
            assert_eq!((answer.status, answer.text(), answer.complete), (200, body, true), "{kind:?}");
            assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()), "{kind:?}");
            let line = recorded.line(said);
            assert_eq!((line.source, line.level), (Source::Platform, Level::WARNING), "{kind:?}");
        }
    }
}

/// Announces so many bytes, and streams so many times 64 KiB.
fn streamed(kind: Kind, declared: u64, pieces: u32) -> Vec<u8> {
    let header = format!("Content-Type: text/plain\nContent-Length: {declared}\n\n");
    kind.prints_then(
        &header,
        &format!(
            "(memory.fill (i32.const 0) (i32.const 120) (i32.const 65536))
             (loop $more
               (call $put (i32.const 0) (i32.const 65536))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $i) (i32.const {pieces}))))
             (call $push)"
        ),
    )
}

#[tokio::test]
async fn a_streamed_body_that_is_shorter_than_its_length_is_cut_off() {
    for (kind, answer, recorded) in all(|kind| streamed(kind, 1_000_000, 4)).await {
        let came = (answer.status, answer.complete, answer.body.len());
        assert_eq!(came, (200, false, 4 * 65_536), "{kind:?}");
        assert_eq!(recorded.receipt.outcome.kind(), "bad_output", "{kind:?}");
        recorded.line("Content-Length is 1000000, but the body has 262144 bytes");
    }
}

#[tokio::test]
async fn of_a_streamed_body_that_is_longer_than_its_length_nothing_more_is_sent() {
    for (kind, answer, recorded) in all(|kind| streamed(kind, 150_000, 4)).await {
        assert_eq!((answer.status, answer.complete, answer.body.len()), (200, true, 150_000), "{kind:?}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
        recorded.line("Content-Length is 150000, but the body has 262144 bytes");
    }
}

#[tokio::test]
async fn a_streamed_body_of_its_announced_length_is_whole() {
    for (kind, answer, recorded) in all(|kind| streamed(kind, 4 * 65_536, 4)).await {
        assert_eq!((answer.complete, answer.body.len()), (true, 4 * 65_536), "{kind:?}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
    }
}

#[tokio::test]
async fn a_program_that_works_on_after_its_announced_length_is_not_cancelled() {
    let header = "Content-Type: text/plain\nContent-Length: 4\n\nbody";
    let then = "(call $push) (call $wait (i32.const 50)) (call $push)";
    for (kind, answer, recorded) in all(|kind| kind.prints_then(header, then)).await {
        assert_eq!((answer.text(), answer.complete), ("body", true), "{kind:?}");
        assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{kind:?}");
    }
}

#[tokio::test]
async fn a_program_that_fails_after_its_announced_length_was_written_leaves_a_truncated_answer() {
    let header = "Content-Type: text/plain\nContent-Length: 4\n\nbody";
    for then in ["(unreachable)", "(call $push) (call $wait (i32.const 20)) (unreachable)"] {
        for (kind, answer, recorded) in all(|kind| kind.prints_then(header, then)).await {
            assert!(!answer.complete, "{kind:?} {then}: {answer:?}");
            assert_eq!(recorded.receipt.outcome.kind(), "trap", "{kind:?}");
        }
    }
}

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
