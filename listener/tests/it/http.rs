//! What a well-meaning client sees.

use wasmcloud_listener::{Settings, bind};

use crate::harness::{GET, Port, assert_status, field, patient};

#[tokio::test]
async fn a_connection_serves_many_requests_and_many_at_once() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    for _ in 0..3 {
        client.send(GET).await;
        assert!(client.answer().await.ends_with("\r\n\r\npath /\n"));
    }
    let post = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nfirst";
    let chunked = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nsec\r\n03\r\nond\r\n0\r\nt: v\r\n\r\n";
    client.send(format!("{post}{chunked}\r\n{GET}")).await;
    assert!(client.answer().await.ends_with("\r\n\r\nfirst"));
    assert!(client.answer().await.ends_with("\r\n\r\nsecond"));
    assert!(client.answer().await.ends_with("\r\n\r\npath /\n"));
}

#[tokio::test]
async fn a_response_is_dated_and_does_not_name_the_server() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    client.send(GET).await;
    let answer = client.answer().await;
    assert_status(&answer, 200);
    assert!(field(&answer, "date").is_some_and(|date| date.ends_with(" GMT")), "{answer}");
    assert_eq!(field(&answer, "server"), None);
}

#[tokio::test]
async fn the_service_learns_both_ends_of_the_connection() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    let own = client.stream.local_addr().unwrap();
    client.send("GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.answer().await.ends_with(&format!("{own} false {}", port.addr)));
}

#[tokio::test]
async fn exactly_one_host_is_asked_for() {
    let port = Port::start(patient()).await;
    for head in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"] {
        let mut client = port.client().await;
        client.send(head).await;
        assert_status(&client.rest().await, 400);
    }
    let mut client = port.client().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.0 200 OK\r\n"));
}

#[tokio::test]
async fn too_much_head_is_431_and_a_long_target_414() {
    let limits =
        Settings { header_bytes_max: 1000, header_fields_max: 5, target_bytes_max: 100, ..patient() };
    let port = Port::start(limits).await;
    let fits = format!(
        "GET /{} HTTP/1.1\r\nhost: a\r\n1: {}\r\n2:\r\n3:\r\n4:\r\n\r\n",
        "a".repeat(99),
        "b".repeat(600)
    );
    let fields = "GET / HTTP/1.1\r\nhost: a\r\n1:\r\n2:\r\n3:\r\n4:\r\n5:\r\n\r\n".to_owned();
    let bytes = format!("GET / HTTP/1.1\r\nhost: a\r\n1: {}\r\n\r\n", "b".repeat(1000));
    let endless = format!("GET / HTTP/1.1\r\nhost: a\r\n1: {}", "b".repeat(1000));
    let target = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(100));
    for (head, status) in [(fields, 431), (bytes, 431), (endless, 431), (target, 414)] {
        let mut client = port.client().await;
        client.send(&fits).await;
        assert_status(&client.answer().await, 200);
        client.send(&head).await;
        assert_status(&client.rest().await, status);
    }
}

#[tokio::test]
async fn connect_is_not_supported() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    client.send("CONNECT example.com:80 HTTP/1.1\r\nhost: example.com\r\n\r\n").await;
    assert_status(&client.rest().await, 501);
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let port = Port::start(patient()).await;
    for path in ["/ignore", "/echo"] {
        let mut client = port.client().await;
        client.send(format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n\r\n")).await;
        client.send(vec![b'x'; 20_000_000]).await;
        assert_status(&client.rest().await, 413);
    }
}

#[tokio::test]
async fn a_chunked_body_is_cut_at_the_limit_too() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    client.send("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n200000\r\n").await;
    client.send(vec![b'x'; 0x20_0000]).await;
    client.send("\r\n0\r\n\r\n").await;
    assert_status(&client.rest().await, 413);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_or_not_to() {
    let port = Port::start(patient()).await;
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: ";
    let mut client = port.client().await;
    client.send(format!("{head}2000000\r\n\r\n")).await;
    assert_status(&client.rest().await, 413);
    let mut client = port.client().await;
    client.send(format!("{head}5\r\n\r\n")).await;
    assert_status(&client.answer().await, 100);
    client.send("hello").await;
    assert!(client.answer().await.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_panic_costs_its_own_connection_alone() {
    let port = Port::start(patient()).await;
    let mut other = port.client().await;
    other.send(GET).await;
    assert_status(&other.answer().await, 200);
    let mut client = port.client().await;
    client.send("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(client.rest().await, "");
    other.send(GET).await;
    assert_status(&other.answer().await, 200);
}

#[tokio::test]
async fn a_stream_that_fails_never_looks_whole() {
    let port = Port::start(patient()).await;
    let mut client = port.client().await;
    client.send("GET /three HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(client.rest().await.ends_with("\r\n0\r\n\r\n"));
    let mut client = port.client().await;
    client.send("GET /fail HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(!client.rest().await.ends_with("\r\n0\r\n\r\n"));
    // HTTP/1.0 has no chunks: the end of the connection is the end of the body.
    let mut client = port.client().await;
    client.send("GET /fail HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.end().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn the_service_is_dropped_when_its_client_goes_away() {
    let mut port = Port::start(patient()).await;
    let mut client = port.client().await;
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
    port.event("waiting").await;
    drop(client);
    port.event("gone").await;
}

#[tokio::test]
async fn a_connection_too_many_waits_for_a_place() {
    let port = Port::start(Settings { connections_max: 1, ..patient() }).await;
    let mut first = port.client().await;
    first.send(GET).await;
    assert_status(&first.answer().await, 200);
    let mut second = port.client().await;
    second.send(GET).await;
    second.is_quiet_for(crate::harness::SHORT).await;
    drop(first);
    assert_status(&second.answer().await, 200);
}

#[tokio::test]
async fn an_address_in_use_is_said_with_the_way_out() {
    let port = Port::start(patient()).await;
    let error = bind(port.addr, "--api-listen").await.unwrap_err();
    let expected = "is already in use: stop the other process, or choose another address with --api-listen";
    assert_eq!(error.to_string(), format!("{} {expected}", port.addr));
    let error = bind("192.0.2.1:80".parse().unwrap(), "--edge-listen").await.unwrap_err();
    assert!(error.to_string().contains("--edge-listen"), "{error}");
}
