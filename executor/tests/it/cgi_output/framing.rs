//! Lengths, bodies and `HEAD`.

use wasmcloud_wire::{Level, Outcome, Source};

use super::all;
use crate::app::{DOMAIN, TestExecutor};
use crate::kinds::{KINDS, Kind};

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
