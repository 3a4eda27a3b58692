//! HTTP/2 as its clients see it.

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio::task::JoinHandle;
use wasmcloud_listener::{Settings, Tls};

use crate::harness::{Port, SHORT, patient, within};
use crate::tls::{Files, dial, files};

/// Requests at once on one connection.
const MANY: usize = 60;

/// A port that speaks HTTP/2.
pub struct Secure {
    pub port: Port,
    pub files: Files,
}

/// A client's connection.
pub struct Link {
    send: SendRequest<Bytes>,
    /// Ends with the connection.
    ended: JoinHandle<Result<(), h2::Error>>,
}

impl Secure {
    pub async fn start(settings: Settings) -> Secure {
        let files = files();
        let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
        Secure { port: Port::start_with(settings, Some(tls)).await, files }
    }

    async fn link(&self) -> Link {
        self.link_with(&Builder::new()).await
    }

    pub async fn link_with(&self, client: &Builder) -> Link {
        let stream = dial(&self.port, &self.files, &["h2"]).await.unwrap();
        let (send, connection) = within("HTTP/2 begins", client.handshake(stream)).await.unwrap();
        Link { send, ended: tokio::spawn(connection) }
    }
}

impl Link {
    /// Begins a request; its body ends at once unless `open`.
    async fn begin(&mut self, request: Request<()>, open: bool) -> (ResponseFuture, SendStream<Bytes>) {
        let mut ready = within("room for a request", self.send.clone().ready()).await.unwrap();
        ready.send_request(request, !open).unwrap()
    }

    pub async fn get(&mut self, path: &str) -> (StatusCode, String) {
        let (response, _) = self.begin(request(Method::GET, path), false).await;
        let (head, body, _) = whole(response).await.unwrap();
        (head.status(), String::from_utf8(body).unwrap())
    }

    /// How the connection ended.
    async fn end(self) -> Result<(), h2::Error> {
        drop(self.send);
        within("the end of the connection", self.ended).await.unwrap()
    }
}

fn request(method: Method, path: &str) -> Request<()> {
    let uri = format!("https://localhost{path}");
    Request::builder().method(method).version(Version::HTTP_2).uri(uri).body(()).unwrap()
}

/// An answer with its body and its trailers.
async fn whole(response: ResponseFuture) -> Result<(Response<()>, Vec<u8>, Option<HeaderMap>), h2::Error> {
    let (head, mut body) = within("an answer", response).await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(piece) = within("more of an answer", body.data()).await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len()).unwrap();
        bytes.extend_from_slice(&piece);
    }
    let trailers = within("trailers", body.trailers()).await?;
    Ok((Response::from_parts(head, ()), bytes, trailers))
}

#[tokio::test]
async fn many_requests_go_over_one_connection_at_once() {
    let mut secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let mut waiting = Vec::new();
    for _ in 0..MANY {
        waiting.push(link.begin(request(Method::GET, "/wait"), false).await.0);
        secure.port.event("waiting").await;
    }
    let (status, text) = link.get("/peer").await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.contains(" true "), "{text}");
    secure.port.service.gate.notify_waiters();
    for response in waiting {
        assert_eq!(whole(response).await.unwrap().1, b"waited\n");
    }
}

#[tokio::test]
async fn a_service_sees_what_it_sees_of_http_1_1() {
    let secure = Secure::start(patient()).await;
    let (status, text) = secure.link().await.get("/fields?a=b").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(text, "/fields?a=b {\"host\": \"localhost\"}");
}

#[tokio::test]
async fn a_long_target_is_414_and_connect_is_501() {
    let secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let (status, _) = link.get(&format!("/{}", "x".repeat(8 << 10))).await;
    assert_eq!(status, StatusCode::URI_TOO_LONG);
    let connect = Request::builder().method(Method::CONNECT).uri("localhost:443").body(()).unwrap();
    let (response, _body) = link.begin(connect, true).await;
    assert_eq!(within("an answer", response).await.unwrap().status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn bodies_and_trailers_go_both_ways() {
    let secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let (response, mut body) = link.begin(request(Method::POST, "/mirror"), true).await;
    // More than any window, so that each side has to make room for the other.
    let sent = vec![b'x'; 3 << 20];
    let writing = tokio::spawn({
        let mut left = Bytes::from(sent.clone());
        async move {
            while !left.is_empty() {
                body.reserve_capacity(left.len());
                let room = within("room", std::future::poll_fn(|cx| body.poll_capacity(cx))).await;
                let piece = left.split_to(room.unwrap().unwrap().min(left.len()));
                body.send_data(piece, false).unwrap();
            }
            let trailers = HeaderMap::from_iter([("sum".parse().unwrap(), HeaderValue::from_static("42"))]);
            body.send_trailers(trailers).unwrap();
        }
    });
    let (head, echoed, trailers) = whole(response).await.unwrap();
    writing.await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert!(echoed == sent, "{} bytes came back", echoed.len());
    assert_eq!(trailers.unwrap()["sum"], "42");
}

#[tokio::test]
async fn a_head_request_gets_the_fields_alone() {
    let secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    for path in ["/", "/endless"] {
        let (response, _) = link.begin(request(Method::HEAD, path), false).await;
        let (head, body, _) = whole(response).await.unwrap();
        assert_eq!((head.status(), body.len()), (StatusCode::OK, 0), "{path}");
        assert!(head.headers().contains_key("date"));
        assert_eq!(
            head.headers().get("content-length").map(|length| length == "7"),
            (path == "/").then_some(true)
        );
    }
}

#[tokio::test]
async fn a_request_that_its_client_gives_up_is_dropped_and_others_go_on() {
    let mut secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let (_response, mut stream) = link.begin(request(Method::GET, "/wait"), false).await;
    secure.port.event("waiting").await;
    stream.send_reset(Reason::CANCEL);
    secure.port.event("gone").await;
    assert_eq!(link.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_dropped_with_their_connection() {
    let mut secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let (_response, _stream) = link.begin(request(Method::GET, "/wait"), false).await;
    secure.port.event("waiting").await;
    link.ended.abort();
    secure.port.event("gone").await;
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_ends() {
    let secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    let (response, mut body) = link.begin(request(Method::POST, "/ignore"), true).await;
    body.send_data(Bytes::from_static(b"some"), false).unwrap();
    let (head, ..) = whole(response).await.unwrap();
    assert_eq!(head.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let reset = within("the rest is not wanted", std::future::poll_fn(|cx| body.poll_reset(cx))).await;
    assert_eq!(reset.unwrap(), Reason::NO_ERROR);
    assert_eq!(link.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_that_fails_or_whose_service_panics_is_cut_and_others_go_on() {
    let secure = Secure::start(patient()).await;
    let mut link = secure.link().await;
    for path in ["/fail", "/panic"] {
        let (response, _) = link.begin(request(Method::GET, path), false).await;
        assert!(whole(response).await.unwrap_err().is_reset(), "{path}");
    }
    assert_eq!(link.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_never_ends_is_408_and_others_go_on() {
    let secure = Secure::start(Settings { body_timeout: SHORT, ..patient() }).await;
    let mut link = secure.link().await;
    let (response, mut body) = link.begin(request(Method::POST, "/echo"), true).await;
    body.send_data(Bytes::from_static(b"some"), false).unwrap();
    assert_eq!(link.get("/").await.0, StatusCode::OK);
    let (head, text, _) = whole(response).await.unwrap();
    assert_eq!(head.status(), StatusCode::REQUEST_TIMEOUT, "{}", String::from_utf8_lossy(&text));
    assert_eq!(link.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_drips_is_408() {
    let settings = Settings { body_timeout: SHORT, body_bytes_per_second_min: 1 << 20, ..patient() };
    let secure = Secure::start(settings).await;
    let mut link = secure.link().await;
    let (response, mut body) = link.begin(request(Method::POST, "/echo"), true).await;
    let dripping = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(SHORT / 5);
        loop {
            ticks.tick().await;
            if body.send_data(Bytes::from_static(b"x"), false).is_err() {
                return;
            }
        }
    });
    let (head, text, _) = whole(response).await.unwrap();
    assert_eq!(head.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(String::from_utf8(text).unwrap().contains("too slowly"));
    within("the drip ends", dripping).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_cut_and_others_go_on() {
    let mut secure = Secure::start(Settings { write_timeout: SHORT, ..patient() }).await;
    let mut link = secure.link().await;
    let (response, _) = link.begin(request(Method::GET, "/endless"), false).await;
    let (_, mut body) = within("an answer", response).await.unwrap().into_parts();
    secure.port.event("body gone").await;
    let failure = loop {
        // What is read gives no room for more unless it is released.
        match within("the cut", body.data()).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the answer looks whole"),
        }
    };
    assert_eq!(failure.reason(), Some(Reason::CANCEL));
    body.flow_control().release_capacity(1000).unwrap();
    drop(body);
    assert_eq!(link.get("/peer").await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_idle_connection_is_ended_politely() {
    let secure = Secure::start(Settings { idle_timeout: SHORT, ..patient() }).await;
    let mut link = secure.link().await;
    assert_eq!(link.get("/").await.0, StatusCode::OK);
    within("the connection ends", link.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_with_a_request_is_not_idle() {
    let mut secure = Secure::start(Settings { idle_timeout: SHORT / 4, ..patient() }).await;
    let mut link = secure.link().await;
    let (response, _) = link.begin(request(Method::GET, "/wait"), false).await;
    secure.port.event("waiting").await;
    tokio::time::sleep(SHORT).await;
    secure.port.service.gate.notify_one();
    assert_eq!(whole(response).await.unwrap().1, b"waited\n");
    within("the connection ends", link.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_ends_the_connection() {
    let mut secure = Secure::start(patient()).await;
    let idle = secure.link().await;
    let mut busy = secure.link().await;
    let (response, _) = busy.begin(request(Method::GET, "/wait"), false).await;
    secure.port.event("waiting").await;
    secure.port.shutdown.cancel();
    within("the idle connection ends", idle.ended).await.unwrap().unwrap();
    secure.port.service.gate.notify_one();
    assert_eq!(whole(response).await.unwrap().1, b"waited\n");
    busy.end().await.unwrap();
    secure.port.ended().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_when_the_port_ends() {
    let mut secure = Secure::start(Settings { drain: SHORT, ..patient() }).await;
    let mut link = secure.link().await;
    let (response, _) = link.begin(request(Method::GET, "/wait"), false).await;
    secure.port.event("waiting").await;
    secure.port.shutdown.cancel();
    secure.port.event("gone").await;
    assert!(whole(response).await.is_err());
    secure.port.ended().await;
}
