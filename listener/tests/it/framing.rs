//! Requests that two parsers could read in two ways.

use crate::harness::{GET, Port, assert_status, patient};

/// Heads with a body that a front end could take for another request.
const AMBIGUOUS: &[(&str, &str)] = &[
    ("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
    ("two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("the same length twice", "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello"),
    ("a list of lengths", "Content-Length: 5, 5\r\n\r\nhello"),
    ("a signed length", "Content-Length: +5\r\n\r\nhello"),
    ("a negative length", "Content-Length: -5\r\n\r\nhello"),
    ("no length", "Content-Length:\r\n\r\nhello"),
    ("a hexadecimal length", "Content-Length: 0x5\r\n\r\nhello"),
    ("a length with a space in it", "Content-Length: 5 0\r\n\r\nhello"),
    ("a length over 64 bits", "Content-Length: 18446744073709551621\r\n\r\nhello"),
    (
        "a length in much white space",
        concat!(
            "Content-Length: ",
            "                                                                5\r\n\r\nhello"
        ),
    ),
    ("another coding before chunked", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked not last", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "Content-Length : 5\r\n\r\nhello"),
    ("a folded line", "X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"),
    ("a folded length", "Content-Length:\r\n 5\r\n\r\nhello"),
    ("a bare line feed after a field", "X: a\nContent-Length: 5\r\n\r\nhello"),
    ("a bare line feed at the end", "X: a\r\n\nhello"),
    ("a bare carriage return", "X: a\rContent-Length: 5\r\n\r\nhello"),
    ("a NUL", "X: a\0b\r\n\r\n"),
    ("a line without a colon", "Content-Length 5\r\n\r\nhello"),
];

#[tokio::test]
async fn an_ambiguous_request_is_400_and_ends_its_connection() {
    let port = Port::start(patient()).await;
    for (what, fields) in AMBIGUOUS {
        let request = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}");
        let mut client = port.client().await;
        client.send(format!("{request}{GET}")).await;
        let answers = client.rest().await;
        assert_status(&answers, 400);
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{what}: {answers}");
    }
}

#[tokio::test]
async fn an_ambiguous_request_is_found_behind_others_and_in_pieces() {
    let port = Port::start(patient()).await;
    let before = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /";
    for (what, fields) in AMBIGUOUS {
        let request = format!("{before}POST /echo HTTP/1.1\r\nHost: a\r\n{fields}{GET}");
        for at in [1, before.len(), before.len() + 35, request.len() - GET.len() - 8] {
            let mut client = port.client().await;
            client.stream.set_nodelay(true).unwrap();
            client.send(&request[..at]).await;
            // The second piece may find the connection closed: what counts is what came back.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &request.as_bytes()[at..]).await;
            assert!(client.answer().await.ends_with("\r\n\r\nGET /"), "{what}");
            let answers = client.rest().await;
            assert_status(&answers, 400);
            assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{what}: {answers}");
        }
    }
}

#[tokio::test]
async fn a_request_line_that_is_none_is_400() {
    let port = Port::start(patient()).await;
    for line in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "GET /\n\n",
        "\n",
        "GET / HTTP/3.0\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
    ] {
        let mut client = port.client().await;
        client.send(line).await;
        assert_status(&client.rest().await, 400);
    }
}

#[tokio::test]
async fn chunks_that_are_none_are_told_to_the_service() {
    let port = Port::start(patient()).await;
    for body in [
        "5\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "\r\n",
        "5;\nhello\r\n",
        "0\r\nt: v\n\r\n",
        "10000000000000000\r\n",
    ] {
        let mut client = port.client().await;
        client
            .send(format!("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}{GET}"))
            .await;
        let answers = client.rest().await;
        assert_status(&answers, 400);
        assert!(answers.ends_with("not well-formed\n"), "{body:?}: {answers}");
    }
}
