//! Every limit, and what is said when it is hit.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use tokio::net::TcpListener;
use wasmcloud_egress::{EgressError, OutboundLimits, Redirects, Resolver, Settings, Step, User};

use crate::harness::{Reply, Server, fetch, get, ok, session, session_of, settings, target};

/// Long enough for what works, short enough to wait for what does not.
const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn an_endless_answer_is_cut_at_the_limit() {
    let server = Server::start(|_| Reply::Endless).await;
    let session = session(OutboundLimits { response_bytes_max: 100_000, ..OutboundLimits::default() });
    let mut body = session.http(get(&server.url("/")), Redirects::Follow).await.unwrap().into_body();
    let mut read = 0;
    let error = loop {
        match body.chunk().await {
            Ok(piece) => read += piece.unwrap().len(),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 100_000);
    assert_eq!(session.usage().bytes_received, 100_000);
    assert_eq!(error, EgressError::ResponseTooLarge { host: server.addr.to_string(), max: 100_000 });
    assert_eq!(body.chunk().await.unwrap_err(), error, "and it stays so");
}

#[tokio::test]
async fn an_answer_as_large_as_the_limit_is_whole() {
    let server = Server::start(|_| ok("12345")).await;
    let whole = session(OutboundLimits { response_bytes_max: 5, ..OutboundLimits::default() });
    assert_eq!(fetch(&whole, &server.url("/")).await.unwrap(), "12345");
    let cut = session(OutboundLimits { response_bytes_max: 4, ..OutboundLimits::default() });
    assert!(matches!(fetch(&cut, &server.url("/")).await, Err(EgressError::ResponseTooLarge { max: 4, .. })));
}

#[tokio::test]
async fn a_request_body_above_the_limit_is_not_sent() {
    let server = Server::start(|_| ok("")).await;
    let session = session(OutboundLimits { request_bytes_max: 4, ..OutboundLimits::default() });
    let request = Request::post(server.url("/")).body(Bytes::from_static(b"12345")).unwrap();
    let error = session.http(request, Redirects::Follow).await.err().unwrap();
    assert_eq!(error, EgressError::RequestTooLarge { bytes: 5, max: 4 });
    server.assert_nobody_came().await;
}

#[tokio::test]
async fn the_fifty_first_request_is_refused() {
    let server = Server::start(|_| ok("")).await;
    let session = session(OutboundLimits::default());
    for _ in 0..50 {
        fetch(&session, &server.url("/")).await.unwrap();
    }
    let error = fetch(&session, &server.url("/")).await.unwrap_err();
    assert_eq!(error, EgressError::TooManyRequests { max: 50 });
    let error = session.connect(&target(&format!("ws://{}/", server.addr))).await.err().unwrap();
    assert_eq!(error, EgressError::TooManyRequests { max: 50 });
    assert_eq!(server.requests().len(), 50);
}

#[tokio::test]
async fn at_most_six_are_under_way_and_the_others_wait() {
    let server = Server::start_closed(|_| ok("")).await;
    let session = Arc::new(session(OutboundLimits::default()));
    let all: Vec<_> = (0..30)
        .map(|number| {
            let (session, url) = (Arc::clone(&session), server.url(&format!("/{number}")));
            tokio::spawn(async move { fetch(&session, &url).await })
        })
        .collect();
    while server.requests().len() < 6 {
        tokio::task::yield_now().await;
    }
    // Time enough for a seventh, if one were sent: everything runs on this thread.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.requests().len(), 6);
    server.open(30);
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!((server.requests().len(), server.most_under_way()), (30, 6));
}

#[tokio::test]
async fn answers_that_are_not_read_take_their_places_until_they_are_dropped() {
    let server = Server::start(|_| ok("body")).await;
    let session = session(OutboundLimits { at_once_max: 2, connect: SHORT, ..OutboundLimits::default() });
    let first = session.http(get(&server.url("/1")), Redirects::Follow).await.unwrap();
    let second = session.connect(&target(&format!("ws://{}/", server.addr))).await.unwrap();
    let error = fetch(&session, &server.url("/3")).await.unwrap_err();
    assert_eq!(error, EgressError::TooManyAtOnce { max: 2 });
    drop(second);
    assert_eq!(fetch(&session, &server.url("/4")).await.unwrap(), "body");
    assert_eq!(first.into_body().collect().await.unwrap(), "body");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_on() {
    let silent = Server::start(|_| Reply::Silence).await;
    let stalling = Server::start(|_| Reply::Stall).await;
    let session = session(OutboundLimits { request: SHORT, ..OutboundLimits::default() });
    let late = EgressError::Timeout { what: Step::Request, limit: SHORT };
    assert_eq!(fetch(&session, &silent.url("/")).await.unwrap_err(), late);
    let mut body = session.http(get(&stalling.url("/")), Redirects::Follow).await.unwrap().into_body();
    assert_eq!(body.chunk().await.unwrap().unwrap(), "half");
    assert_eq!(body.chunk().await.unwrap_err(), late);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up_on() {
    // Accepted by the kernel, answered by nobody.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let session = session(OutboundLimits { connect: SHORT, ..OutboundLimits::default() });
    let late = EgressError::Timeout { what: Step::Connect, limit: SHORT };
    assert_eq!(fetch(&session, &format!("https://a.example:{port}/")).await.unwrap_err(), late);
    let gemini = target(&format!("gemini://a.example:{port}/"));
    assert_eq!(session.connect_tls(&gemini, None).await.err().unwrap(), late);
}

struct Never;

#[async_trait]
impl Resolver for Never {
    async fn resolve(&self, _: &str, _: User) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_resolver_that_does_not_answer_is_given_up_on() {
    let limits = OutboundLimits { resolve: SHORT, ..OutboundLimits::default() };
    let session = session_of(Settings { limits, ..settings() }, Arc::new(Never));
    let late = EgressError::Timeout { what: Step::Resolve, limit: SHORT };
    assert_eq!(fetch(&session, "http://a.example/").await.unwrap_err(), late);
    assert_eq!(session.connect(&target("ws://a.example/")).await.err().unwrap(), late);
}

#[tokio::test]
async fn nothing_lasts_longer_than_the_invocation() {
    let silent = Server::start(|_| Reply::Silence).await;
    let session = session(OutboundLimits::default()).until(Instant::now() + SHORT);
    let error = fetch(&session, &silent.url("/")).await.unwrap_err();
    assert_eq!(error, EgressError::Deadline(Step::Request));
}
