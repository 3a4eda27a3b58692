//! Clients that keep us waiting.

use std::time::Duration;

use wasmcloud_listener::Settings;

use crate::harness::{GET, Port, SHORT, assert_status, patient};

/// Every byte of a drip comes well within [`SHORT`].
const DRIP: Duration = Duration::from_millis(20);
const HEAD: &str = "POST /echo HTTP/1.1\r\nhost: a\r\n";

#[tokio::test]
async fn an_idle_connection_is_closed_quietly() {
    let port = Port::start(Settings { idle_timeout: SHORT, ..patient() }).await;
    let mut client = port.client().await;
    assert_eq!(client.rest().await, "");
    let mut client = port.client().await;
    client.send(GET).await;
    assert_status(&client.answer().await, 200);
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_connection_is_idle_again_after_a_body_and_after_a_stream() {
    let port = Port::start(Settings { idle_timeout: SHORT, ..patient() }).await;
    let mut client = port.client().await;
    client.send(format!("{HEAD}content-length: 5\r\n\r\n")).await;
    client.send("hello").await;
    assert!(client.answer().await.ends_with("hello"));
    client.send("GET /three HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.rest().await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn an_idle_connection_has_more_time_than_a_header_block() {
    let port = Port::start(Settings { header_timeout: DRIP, ..patient() }).await;
    let mut client = port.client().await;
    client.is_quiet_for(SHORT).await;
    client.send(GET).await;
    assert_status(&client.answer().await, 200);
    client.is_quiet_for(SHORT).await;
    client.send(GET).await;
    assert_status(&client.answer().await, 200);
}

#[tokio::test]
async fn a_header_block_that_stops_is_408() {
    let port = Port::start(Settings { header_timeout: SHORT, ..patient() }).await;
    for begun in ["G", "GET / HTTP/1.1\r\nhost: a\r\n", "\r\n"] {
        let mut client = port.client().await;
        client.send(format!("{GET}{begun}")).await;
        assert_status(&client.answer().await, 200);
        let answer = client.rest().await;
        assert_status(&answer, 408);
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_header_block_that_drips_gets_no_more_time() {
    let port = Port::start(Settings { header_timeout: SHORT * 3, ..patient() }).await;
    let mut client = port.client().await;
    client.send("GET / HTTP/1.1\r\nhost: a\r\nx: ").await;
    assert_status(&client.drip(b'a', DRIP).await, 408);
}

#[tokio::test]
async fn a_body_that_stands_still_fails_for_the_service() {
    let port = Port::start(Settings { body_timeout: SHORT, ..patient() }).await;
    for begun in
        ["content-length: 5\r\n\r\n", "content-length: 5\r\n\r\nhel", "transfer-encoding: chunked\r\n\r\n5"]
    {
        let mut client = port.client().await;
        client.send(format!("{HEAD}{begun}")).await;
        let answer = client.rest().await;
        assert_status(&answer, 408);
        assert!(answer.ends_with("the request's body stood still for too long\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_drips_fails_for_the_service() {
    let port = Port::start(Settings { body_timeout: SHORT * 3, ..patient() }).await;
    let mut client = port.client().await;
    client.send(format!("{HEAD}content-length: 100000\r\n\r\n")).await;
    let answer = client.drip(b'a', DRIP).await;
    assert_status(&answer, 408);
    assert!(answer.ends_with("the request's body came too slowly\n"), "{answer}");
}

#[tokio::test]
async fn a_service_may_take_longer_than_any_client() {
    let timeouts = Settings {
        header_timeout: DRIP,
        idle_timeout: DRIP,
        body_timeout: DRIP,
        write_timeout: DRIP,
        ..patient()
    };
    let mut port = Port::start(timeouts).await;
    let mut client = port.client().await;
    // The beginning of the next request waits in the meantime, and its time has not begun.
    client.send("GET /wait HTTP/1.1\r\nhost: a\r\n\r\nGET ").await;
    port.event("waiting").await;
    client.is_quiet_for(SHORT).await;
    port.service.gate.notify_one();
    assert!(client.answer().await.ends_with("waited\n"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let mut port = Port::start(Settings { write_timeout: SHORT, ..patient() }).await;
    let mut client = port.client().await;
    client.send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n").await;
    port.event("body gone").await;
    assert!(client.end().await.is_err(), "the response looks whole");
}
