//! A program's output as the client sees it: items 11 to 17 of the CGI checklist, over real HTTP.

use wasmcloud_wire::{Level, LimitName, Outcome, Source};

use crate::app::{DOMAIN, TestExecutor};
use crate::client::Answer;
use crate::control::Recorded;
use crate::wasm::{fixture, prints, prints_then};

async fn answered(module: &[u8]) -> (Answer, Recorded) {
    TestExecutor::start().await.try_out("hello", module, |_| ()).await
}

/// The program's output is no CGI answer, and the log says why.
async fn bad_output(module: &[u8], why: &[&str]) {
    let (answer, recorded) = answered(module).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (502, "bad_output"));
    assert_eq!(recorded.receipt.status, Some(502));
    let Outcome::BadOutput { message } = &recorded.receipt.outcome else {
        panic!("{:?}", recorded.receipt.outcome)
    };
    for part in why {
        assert!(message.contains(part), "{part:?} in {message:?}");
        assert!(!answer.text().contains(part), "the client is told the cause: {}", answer.text());
    }
    let line = recorded.line(message);
    assert_eq!((line.source, line.level), (Source::Platform, Level::ERROR));
}

/// The answer with this header block is whole, with this body.
async fn document(output: &str) -> Answer {
    let (answer, recorded) = answered(&prints(output)).await;
    assert_eq!(recorded.receipt.outcome, Outcome::Ok, "{output:?}");
    assert!(answer.complete);
    answer
}

#[tokio::test]
async fn line_ends_may_be_lf_or_crlf() {
    for output in ["Content-Type: text/x\n\nbody\r\n", "Content-Type: text/x\r\n\r\nbody\r\n"] {
        let answer = document(output).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/x")));
        assert_eq!((answer.text(), answer.header("content-length")), ("body\r\n", Some("6")));
    }
}

#[tokio::test]
async fn a_status_and_every_field_reach_the_client_each_cookie_in_its_own() {
    let (answer, recorded) = answered(&fixture("headers")).await;
    assert_eq!((answer.status, answer.text()), (201, "{\"created\":true}\n"));
    assert_eq!(answer.header("x-greeting"), Some("hello"));
    assert_eq!(answer.all("vary"), ["Accept", "Cookie"]);
    assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "b=2; HttpOnly"]);
    assert_eq!(recorded.receipt.status, Some(201));
}

#[tokio::test]
async fn what_is_the_connections_or_the_hosts_is_stripped() {
    let answer = document(
        "Content-Type: text/plain\nConnection: close, X-Private\nX-Private: 1\nTransfer-Encoding: gzip\n\
         X-Sendfile: /etc/passwd\nX-Accel-Redirect: /secret\nAlt-Svc: h3\nStrict-Transport-Security: max-age=1\n\
         Keep-Alive: 5\nUpgrade: h2c\nWasmcloud-Invocation: forged\nX-Kept: yes\n\nbody",
    )
    .await;
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
        assert!(!names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!((answer.header("x-kept"), answer.text()), (Some("yes"), "body"));
    // There is one, and it is an invocation's id.
    answer.invocation();
}

#[tokio::test]
async fn a_cookie_stays_with_its_own_host() {
    let answer = document(
        "Set-Cookie: a=1; Domain=.localhost; Path=/\nSet-Cookie: b=2; Domain=hello.localhost\n\
         Content-Type: text/plain\n\nx",
    )
    .await;
    assert_eq!(answer.all("set-cookie"), ["a=1; Path=/", "b=2; Domain=hello.localhost"]);
}

#[tokio::test]
async fn statuses_without_a_body_have_none() {
    for (status, length) in [("204 No Content", None), ("304 Not Modified", None)] {
        let app = TestExecutor::start().await;
        app.deploy("hello", &prints(&format!("Status: {status}\nX-A: b\n\nnot to be seen"))).await;
        let mut client = app.connect().await;
        for _ in 0..2 {
            // The second answer shows that nothing of the first was left over.
            client.send(format!("GET / HTTP/1.1\r\nhost: hello.{DOMAIN}\r\n\r\n")).await;
            let answer = client.answer(false).await;
            assert_eq!(answer.status, status[..3].parse::<u16>().unwrap());
            assert_eq!((answer.text(), answer.header("content-length")), ("", length));
        }
    }
}

#[tokio::test]
async fn an_absolute_location_redirects_the_client_without_a_body() {
    let (answer, recorded) = answered(&fixture("redirect_absolute")).await;
    assert_eq!((answer.status, answer.text()), (302, ""));
    assert_eq!(answer.header("location"), Some("https://example.com/elsewhere?a=b"));
    assert_eq!(answer.header("content-length"), Some("0"));
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
    let with_status = document("Status: 303\nLocation: /local\nContent-Type: text/plain\n\nsee there").await;
    assert_eq!((with_status.status, with_status.text()), (303, "see there"));
    assert_eq!(with_status.header("location"), Some("/local"));
}

#[tokio::test]
async fn a_local_redirect_is_served_by_the_same_handler() {
    let (answer, recorded) = answered(&fixture("local_redirect")).await;
    assert_eq!((answer.status, answer.text()), (200, "landed\n"));
    assert_eq!(answer.header("location"), None);
    let receipt = &recorded.receipt;
    assert_eq!((receipt.outcome.clone(), receipt.path.as_str()), (Outcome::Ok, "/"));
    // Both runs are in one receipt.
    assert_eq!(receipt.host_calls["io_get_stdout"], 2);
}

#[tokio::test]
async fn a_local_redirect_works_below_a_prefix_after_a_post_and_for_head() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("local_redirect")).await;
    let answer =
        app.raw("POST /~hello/from HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 4\r\n\r\nbody").await;
    assert_eq!((answer.status, answer.text()), (200, "landed\n"));
    let head = app.request("HEAD", "hello", "/from", None).await;
    assert_eq!((head.status, head.text()), (200, ""));
}

#[tokio::test]
async fn a_handler_that_redirects_to_itself_without_end_is_508() {
    let (answer, recorded) = answered(&fixture("redirect_loop")).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (508, "loop"));
    let receipt = &recorded.receipt;
    assert!(matches!(&receipt.outcome, Outcome::Limit { limit: LimitName::LocalRedirects, .. }));
    assert_eq!(receipt.status, Some(508));
    // The request itself, and five redirects.
    assert_eq!(receipt.host_calls["resource_write"], 6);
    let line = recorded.line("local redirect limit: 5");
    assert!(line.text.contains("/again"), "{}", line.text);
}

#[tokio::test]
async fn all_redirects_of_a_request_share_its_gas() {
    let one = answered(&prints("Location: /again\n\n")).await.1.receipt.gas;
    let app = TestExecutor::start().await;
    let (answer, recorded) =
        app.try_out("hello", &prints("Location: /again\n\n"), |limits| limits.gas = one / 2).await;
    assert_eq!(answer.status, 504);
    assert!(matches!(&recorded.receipt.outcome, Outcome::Limit { limit: LimitName::Gas, .. }));
    assert_eq!(recorded.receipt.gas, one / 2);
}

#[tokio::test]
async fn head_drops_the_body_and_keeps_the_programs_length() {
    let app = TestExecutor::start().await;
    app.deploy("plain", &prints("Content-Type: text/plain\n\nbody")).await;
    app.deploy("sized", &prints("Content-Type: text/plain\nContent-Length: 4\n\nbody")).await;
    for (handler, length) in [("plain", None), ("sized", Some("4"))] {
        let mut client = app.connect().await;
        for _ in 0..2 {
            client.send(format!("HEAD / HTTP/1.1\r\nhost: {handler}.{DOMAIN}\r\n\r\n")).await;
            let answer = client.answer(true).await;
            assert_eq!((answer.status, answer.header("content-length")), (200, length), "{handler}");
            assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok);
        }
    }
}

#[tokio::test]
async fn head_of_an_answer_that_is_flushed_is_no_client_that_went_away() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("slow_stream")).await;
    let answer = app.request("HEAD", "hello", "/", None).await;
    assert_eq!((answer.status, answer.text()), (200, ""));
    assert_eq!(app.recorded(&answer).await.receipt.outcome, Outcome::Ok);
}

#[tokio::test]
async fn head_of_a_large_document_is_not_above_the_response_limit() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("Content-Type: text/plain\nContent-Length: 999999999999\n\n")).await;
    let answer = app.request("HEAD", "hello", "/", None).await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("999999999999")));
}

#[tokio::test]
async fn a_small_body_that_disagrees_with_its_length_is_corrected_and_the_log_says_so() {
    for (module, body, said) in [
        ("wrong_length_long", "hello\n", "Content-Length is 600, but the body has 6 bytes"),
        ("wrong_length_short", "hel", "Content-Length is 3, but the body has 6 bytes"),
    ] {
        let (answer, recorded) = answered(&fixture(module)).await;
        assert_eq!((answer.status, answer.text(), answer.complete), (200, body, true), "{module}");
        assert_eq!(answer.header("content-length"), Some(body.len().to_string().as_str()));
        let line = recorded.line(said);
        assert_eq!((line.source, line.level), (Source::Platform, Level::WARNING));
    }
}

/// Announces so many bytes, and streams so many times 64 KiB.
fn streamed(declared: u64, pieces: u32) -> Vec<u8> {
    let header = format!("Content-Type: text/plain\nContent-Length: {declared}\n\n");
    prints_then(
        &header,
        &format!(
            "(memory.fill (i32.const 0) (i32.const 120) (i32.const 65536))
             (loop $more
               (drop (call $write (local.get $out) (i32.const 0) (i32.const 65536)))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $more (i32.lt_u (local.get $i) (i32.const {pieces}))))
             (drop (call $flush (local.get $out)))"
        ),
    )
}

#[tokio::test]
async fn a_streamed_body_that_is_shorter_than_its_length_is_cut_off() {
    let (answer, recorded) = answered(&streamed(1_000_000, 4)).await;
    assert_eq!((answer.status, answer.complete, answer.body.len()), (200, false, 4 * 65_536));
    assert!(matches!(recorded.receipt.outcome, Outcome::BadOutput { .. }));
    recorded.line("Content-Length is 1000000, but the body has 262144 bytes");
}

#[tokio::test]
async fn of_a_streamed_body_that_is_longer_than_its_length_nothing_more_is_sent() {
    let (answer, recorded) = answered(&streamed(150_000, 4)).await;
    assert_eq!((answer.status, answer.complete, answer.body.len()), (200, true, 150_000));
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
    recorded.line("Content-Length is 150000, but the body has 262144 bytes");
}

#[tokio::test]
async fn a_streamed_body_of_its_announced_length_is_whole() {
    let (answer, recorded) = answered(&streamed(4 * 65_536, 4)).await;
    assert_eq!((answer.complete, answer.body.len()), (true, 4 * 65_536));
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_program_that_works_on_after_its_announced_length_is_not_cancelled() {
    let header = "Content-Type: text/plain\nContent-Length: 4\n\nbody";
    let then = "(drop (call $flush (local.get $out))) (call $sleep (i32.const 50)) (drop (call $flush (local.get $out)))";
    let (answer, recorded) = answered(&prints_then(header, then)).await;
    assert_eq!((answer.text(), answer.complete), ("body", true));
    assert_eq!(recorded.receipt.outcome, Outcome::Ok);
}

#[tokio::test]
async fn a_program_that_fails_after_its_announced_length_was_written_leaves_a_truncated_answer() {
    let header = "Content-Type: text/plain\nContent-Length: 4\n\nbody";
    for then in ["(unreachable)", "(drop (call $flush (local.get $out))) (unreachable)"] {
        let (answer, recorded) = answered(&prints_then(header, then)).await;
        assert!(!answer.complete, "{then}: {answer:?}");
        assert!(matches!(recorded.receipt.outcome, Outcome::Trap { .. }));
    }
}

#[tokio::test]
async fn output_without_a_header_is_502_and_the_log_quotes_the_line() {
    bad_output(&fixture("silent"), &["the program wrote no output"]).await;
    bad_output(&fixture("no_headers"), &["begins with an empty line"]).await;
    bad_output(&prints("<p>hello</p>\n"), &["begins without a header", "<p>hello</p>"]).await;
    bad_output(&fixture("bad_headers"), &["this is no header field", "line 2", "no colon"]).await;
    bad_output(&prints("Content-Type: text/plain\n"), &["ended within the header"]).await;
}

#[tokio::test]
async fn fields_that_would_split_or_confuse_an_answer_are_502() {
    bad_output(&fixture("injected_header"), &["control character", "a\\x00b"]).await;
    bad_output(&prints("X-Name: a\rb\n\n"), &["control character"]).await;
    bad_output(&prints("Status: 200\nStatus: 201\n\n"), &["repeated"]).await;
    bad_output(&prints("Content-Type: a/b\nContent-Type: a/b\n\n"), &["repeated"]).await;
    bad_output(&prints("Status: 199\n\n"), &["no number from 200 to 599", "199"]).await;
    bad_output(&prints("Status: 600\n\n"), &["no number from 200 to 599"]).await;
    bad_output(&prints("Content-Length: +5\n\nhello"), &["no number of bytes"]).await;
    bad_output(&prints("Location: /%00\n\n"), &["cannot be requested"]).await;
}

#[tokio::test]
async fn a_non_parsed_header_is_502_with_a_hint() {
    bad_output(&fixture("nph"), &["HTTP status line", "Status: 200 OK"]).await;
}

#[tokio::test]
async fn a_header_block_without_end_is_cut_at_16_kib() {
    bad_output(&fixture("endless_headers"), &["the header is too large", "16384"]).await;
}

#[tokio::test]
async fn a_trap_before_the_header_is_502_and_the_log_has_the_functions() {
    let (answer, recorded) = answered(&fixture("trap")).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (502, "failed"));
    assert!(!answer.text().contains("unreachable"));
    assert!(matches!(&recorded.receipt.outcome, Outcome::Trap { .. }));
    for function in ["at parse_header", "at handle_request", "at _start"] {
        assert_eq!(recorded.line(function).source, Source::Platform);
    }
}

#[tokio::test]
async fn an_exit_before_the_header_is_502_and_closing_an_unknown_resource_too() {
    let (answer, recorded) = answered(&fixture("exit_code_early")).await;
    assert_eq!((answer.status, recorded.receipt.outcome.clone()), (502, Outcome::Exit { status: 3 }));
    recorded.line("exited with status 3");
    let (answer, recorded) = answered(&fixture("close_unknown")).await;
    assert_eq!((answer.status, answer.error().code.as_str()), (502, "failed"));
    recorded.line("closed resource 9999, which is not open");
}

#[tokio::test]
async fn a_failure_after_the_header_leaves_a_truncated_answer() {
    for (module, kind, begun) in [
        (fixture("trap_late"), "trap", "the first part\n"),
        (fixture("exit_code"), "exit", "answered before the exit\n"),
        (prints_then("Content-Type: a/b\n\nunflushed", "(unreachable)"), "trap", "unflushed"),
        (prints_then("Content-Type: a/b\n\n", "(call $exit (i32.const 1))"), "exit", ""),
    ] {
        let (answer, recorded) = answered(&module).await;
        assert_eq!((answer.status, answer.complete), (200, false), "{begun}");
        assert_eq!(answer.text(), begun);
        assert_eq!((recorded.receipt.outcome.kind(), recorded.receipt.status), (kind, Some(200)));
        assert_eq!(recorded.lines[0].source, Source::Platform);
    }
}

#[tokio::test]
async fn a_failure_after_the_header_of_an_answer_without_a_body_is_502() {
    // There is no body whose truncation the client could see.
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints_then("Content-Type: a/b\n\nbody", "(unreachable)")).await;
    assert_eq!(app.request("HEAD", "hello", "/", None).await.status, 502);
    app.deploy("hello", &prints_then("Status: 204\n\n", "(unreachable)")).await;
    assert_eq!(app.get("hello", "/").await.status, 502);
}

#[tokio::test]
async fn an_http_1_0_client_sees_a_truncated_answer_as_well() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("trap_late")).await;
    let mut client = app.connect().await;
    client.send(format!("GET / HTTP/1.0\r\nhost: hello.{DOMAIN}\r\n\r\n")).await;
    assert_eq!(client.head(false).await.status, 200);
    while client.part().await.is_some() {}
    assert!(client.was_reset(), "the connection ended as if the answer were whole");
}
