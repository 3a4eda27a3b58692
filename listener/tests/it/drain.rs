//! The end of a port.

use tokio::net::TcpStream;
use wasmcloud_listener::Settings;

use crate::harness::{GET, Port, SHORT, assert_status, field, patient};

const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_closes_the_rest() {
    let mut port = Port::start(patient()).await;
    let mut idle = port.client().await;
    idle.send(GET).await;
    assert_status(&idle.answer().await, 200);
    let mut fresh = port.client().await;
    let mut busy = port.client().await;
    busy.send(WAIT).await;
    port.event("waiting").await;

    port.shutdown.cancel();
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(TcpStream::connect(port.addr).await.is_err(), "connections are still accepted");
    port.service.gate.notify_one();
    let answer = busy.answer().await;
    assert_eq!(field(&answer, "connection"), Some("close"));
    assert!(answer.ends_with("waited\n"));
    assert_eq!(busy.rest().await, "");
    port.ended().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut() {
    let mut port = Port::start(Settings { drain: SHORT, ..patient() }).await;
    let mut busy = port.client().await;
    busy.send(WAIT).await;
    port.event("waiting").await;
    port.shutdown.cancel();
    port.event("gone").await;
    assert_eq!(busy.rest().await, "");
    port.ended().await;
}

#[tokio::test]
async fn a_port_without_connections_ends_at_once() {
    let port = Port::start(patient()).await;
    port.shutdown.cancel();
    port.ended().await;
}
