//! Request bodies: item 10 of the CGI checklist, and `CONTENT_LENGTH`, however the body came, for programs of
//! every kind that speaks CGI.

use std::collections::BTreeMap;

use futures::future::{join_all, select_all};
use wasmcloud_wire::Outcome;

use crate::app::{DOMAIN, TestExecutor, within};
use crate::kinds::{KINDS, Kind};

/// An executor with a program of each kind, by the kind's name.
async fn with(program: impl Fn(Kind) -> Vec<u8>) -> TestExecutor {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &program(kind)).await;
    }
    app
}

fn post(kind: Kind, fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nhost: {}.{DOMAIN}\r\n{fields}\r\n{body}", kind.name())
}

/// Answers with the first four bytes of the body, and reads no more.
fn reads_four(kind: Kind) -> Vec<u8> {
    kind.program(
        "Content-Type: text/plain\n\n",
        "(local.set $n (call $take (i32.const 4096) (i32.const 4)))
         (call $put (i32.const 1024) (i32.const 26))
         (call $put (i32.const 4096) (local.get $n))",
    )
}

/// The variables that the program sees, by name.
pub fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[tokio::test]
async fn a_body_reaches_the_program_whole_and_then_comes_the_end_of_file() {
    let app = with(Kind::echoes).await;
    for kind in KINDS {
        for size in [0, 1, 65_535, 65_536, 65_537, 300_000] {
            let body: Vec<u8> = (0..size).map(|i: u32| i.to_le_bytes()[(i % 3) as usize]).collect();
            let answer = app.post(kind.name(), "/", &body).await;
            assert!(answer.complete && answer.body == body, "{kind:?}: {size} bytes");
            let receipt = app.recorded(&answer).await.receipt;
            let moved = (receipt.bytes_in, receipt.bytes_out);
            assert_eq!(moved, (u64::from(size), u64::from(size) + 40), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn what_a_program_does_not_read_is_no_error() {
    let app = with(reads_four).await;
    for kind in KINDS {
        let answer = app.post(kind.name(), "/", b"abcdefgh").await;
        assert_eq!((answer.status, answer.text()), (200, "abcd"), "{kind:?}");
        let receipt = app.recorded(&answer).await.receipt;
        assert_eq!((receipt.outcome, receipt.bytes_in), (Outcome::Ok, 4), "{kind:?}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_after_a_body_that_nobody_read() {
    let app = with(|kind| kind.prints("A: b\n\nfine")).await;
    for kind in KINDS {
        let mut client = app.connect().await;
        for _ in 0..3 {
            client.send(post(kind, "content-length: 8\r\n", "GET / HT")).await;
            assert_eq!(client.answer(false).await.text(), "fine", "{kind:?}");
        }
    }
}

#[tokio::test]
async fn content_length_is_there_if_and_only_if_there_is_a_body() {
    let app = with(Kind::shows_environment).await;
    for kind in KINDS {
        let answer = app.get(kind.name(), "/").await;
        assert_eq!(variables(answer.text()).get("CONTENT_LENGTH"), None, "{kind:?}");
        assert_eq!(variables(answer.text()).get("CONTENT_TYPE"), None, "{kind:?}");
        let answer = app.post(kind.name(), "/", b"").await;
        assert_eq!(variables(answer.text())["CONTENT_LENGTH"], "0", "{kind:?}");
        let answer = app.raw(post(kind, "content-length: 5\r\ncontent-type: text/x\r\n", "hello")).await;
        let seen = variables(answer.text());
        assert_eq!((seen["CONTENT_LENGTH"], seen["CONTENT_TYPE"]), ("5", "text/x"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_chunked_body_is_decoded_before_it_is_counted() {
    let body = "5;note=x\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\nx-trailer: dropped\r\n\r\n";
    let app = with(Kind::shows_environment).await;
    for kind in KINDS {
        let answer = app.raw(post(kind, "transfer-encoding: chunked\r\n", body)).await;
        assert_eq!(variables(answer.text())["CONTENT_LENGTH"], "12", "{kind:?}");
        app.deploy(kind.name(), &kind.echoes()).await;
        let answer = app.raw(post(kind, "transfer-encoding: chunked\r\n", body)).await;
        assert_eq!(answer.text(), "hello, world", "{kind:?}");
        let answer = app.raw(post(kind, "transfer-encoding: chunked\r\n", "0\r\n\r\n")).await;
        assert_eq!((answer.status, answer.text()), (200, ""), "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_above_10_mib_is_413_before_it_is_read() {
    let app = with(Kind::echoes).await;
    for (kind, begun) in KINDS.into_iter().zip(1..) {
        let answer = app.raw(post(kind, "content-length: 10485761\r\n", "")).await;
        let told = (answer.status, answer.error().code);
        assert_eq!(told, (413, "body_too_large".to_owned()), "{kind:?}");
        assert!(answer.error().message.contains("10485760"), "{kind:?}");
        // An invocation that never began has no record.
        let answer = app.post(kind.name(), "/", b"x").await;
        app.recorded(&answer).await;
        assert_eq!(app.control.see(|state| state.records.len()), begun, "{kind:?}");
    }
}

#[tokio::test]
async fn a_chunked_body_above_10_mib_is_413_as_soon_as_it_is() {
    let app = with(Kind::echoes).await;
    for kind in KINDS {
        let mut client = app.connect().await;
        client.send(post(kind, "transfer-encoding: chunked\r\n", "")).await;
        let chunk = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
        for _ in 0..10 {
            client.send(&chunk).await;
        }
        client.send("1\r\nx\r\n").await;
        assert_eq!(client.answer(false).await.status, 413, "{kind:?}");
    }
}

#[tokio::test]
async fn a_body_of_exactly_10_mib_is_taken() {
    let app = with(reads_four).await;
    for kind in KINDS {
        let answer = app.post(kind.name(), "/", &vec![b'x'; 10 << 20]).await;
        assert_eq!((answer.status, answer.text()), (200, "xxxx"), "{kind:?}");
    }
}

#[tokio::test]
async fn a_malformed_chunk_is_400_and_no_invocation() {
    let app = with(Kind::echoes).await;
    for kind in KINDS {
        let body = "5\r\nhelloX0\r\n\r\n";
        let answer = app.raw(post(kind, "transfer-encoding: chunked\r\n", body)).await;
        assert_eq!(answer.status, 400, "{kind:?}");
        assert_eq!(app.executor.running(), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_program_that_answers_without_reading_a_large_body_still_answers() {
    let app = with(|kind| kind.prints_then("A: b\n\nenough", "(call $end (i32.const 0))")).await;
    for kind in KINDS {
        let answer = app.post(kind.name(), "/", &vec![0; 3 << 20]).await;
        let bytes_in = app.recorded(&answer).await.receipt.bytes_in;
        assert_eq!((answer.text(), bytes_in), ("enough", 0), "{kind:?}");
    }
}

/// Looks until so many bytes of bodies are held.
async fn held(app: &TestExecutor, what: &str, enough: impl Fn(usize) -> bool) {
    within(what, async {
        while !enough(app.executor.body_bytes()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn bodies_are_bounded_in_sum_and_a_greedy_owner_keeps_out_nobody_else() {
    let app = TestExecutor::start().await;
    app.deploy("greedy", &reads_four(Kind::Olin)).await;
    app.deploy("other", &reads_four(Kind::Olin)).await;
    let begin = async |body: &[u8]| {
        let mut client = app.connect().await;
        let fields = "content-length: 10485760\r\nhost: greedy.localhost";
        client.send(format!("POST / HTTP/1.1\r\n{fields}\r\n\r\n")).await;
        client.send(body).await;
        client
    };
    // Of 512 MiB one owner gets about 195. 190 of them go to bodies that lack their last byte, the rest to some
    // of these pieces.
    let (almost, piece) = (vec![b'x'; (10 << 20) - 1], vec![b'x'; 256 << 10]);
    let slow = join_all((0..19).map(async |_| begin(&almost).await)).await;
    held(&app, "the greedy one's bodies are here", |bytes| bytes >= 190 << 20).await;
    let mut more = join_all((0..40).map(async |_| begin(&piece).await)).await;
    held(&app, "the greedy one has its share", |bytes| bytes >= 195 << 20).await;
    for _ in 0..3 {
        let answer = app.post("other", "/", &vec![b'y'; 10 << 20]).await;
        assert_eq!((answer.status, answer.text()), (200, "yyyy"));
    }
    assert_eq!(app.post("greedy", "/", b"little").await.text(), "litt");
    let (refused, ..) = select_all(more.iter_mut().map(|client| Box::pin(client.answer(false)))).await;
    assert_eq!((refused.status, refused.error().code.as_str()), (503, "bodies_full"));
    assert_eq!(refused.header("retry-after"), Some("5"));
    let bytes = app.executor.body_bytes();
    assert!(bytes < 200 << 20, "{bytes}");
    drop((slow, more));
    held(&app, "all is given back", |bytes| bytes == 0).await;
}

#[tokio::test]
async fn a_body_counts_until_its_invocation_has_it_no_more() {
    let app = TestExecutor::start().await;
    for kind in KINDS {
        app.deploy(kind.name(), &kind.echoes()).await;
        for size in [10, 100_000] {
            let answers =
                join_all((0..4).map(async |_| app.post(kind.name(), "/", &vec![b'x'; size]).await)).await;
            assert!(answers.iter().all(|answer| answer.body.len() == size), "{kind:?}");
        }
        held(&app, "all is given back", |bytes| bytes == 0).await;
    }
}
