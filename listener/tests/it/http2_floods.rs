//! Clients of HTTP/2 that send what no library does: frames by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wasmcloud_listener::Settings;

use crate::harness::{SHORT, patient, within};
use crate::http2::Secure;
use crate::tls::{Encrypted, dial};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;
pub const ENHANCE_YOUR_CALM: u32 = 11;

/// A connection that speaks frames.
pub struct Raw(Encrypted);

#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The reason in a RST_STREAM or GOAWAY.
    fn reason(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

impl Raw {
    pub async fn open(secure: &Secure) -> Raw {
        let mut raw = Raw(dial(&secure.port, &secure.files, &["h2"]).await.unwrap());
        raw.send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await;
        raw
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        // A server that closes meanwhile is what some tests are about.
        let _ = within("send", self.0.write_all(bytes)).await;
    }

    /// The next frame, or `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        within("a frame", self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        within("the rest of a frame", self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes(head[5..9].try_into().unwrap());
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// The next frame of a kind.
    pub async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.frame().await.expect("the connection ended");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// The reason of the last GOAWAY, once the connection is at its end.
    pub async fn goodbye(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.frame().await {
            if frame.kind == GOAWAY {
                reason = Some(frame.reason());
            }
        }
        reason
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A field of a header list, as a literal that nobody remembers.
fn field(name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| {
        assert!(text.len() < 127, "longer ones are written otherwise");
        u8::try_from(text.len()).unwrap()
    };
    [&[0, length(name)], name.as_bytes(), &[length(value)], value.as_bytes()].concat()
}

fn fields(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut list = [(":method", method), (":scheme", "https"), (":path", path)].to_vec();
    if !more.iter().any(|(name, _)| *name == ":authority") {
        list.push((":authority", "localhost"));
    }
    let (pseudo, plain): (Vec<_>, Vec<_>) =
        list.iter().chain(more).partition(|(name, _)| name.starts_with(':'));
    pseudo.iter().chain(&plain).flat_map(|(name, value)| field(name, value)).collect()
}

pub fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields("GET", path, &[]))
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

/// Another client is answered as ever.
pub async fn others_are_unhurt(secure: &Secure) {
    let mut raw = Raw::open(secure).await;
    raw.send(&get(1, "/")).await;
    assert_eq!(raw.next(DATA).await.payload, b"path /\n");
}

#[tokio::test]
async fn who_begins_and_gives_up_request_after_request_is_sent_away() {
    let resets_max = 10;
    let mut secure = Secure::start(Settings { http2_resets_max: resets_max, ..patient() }).await;
    let mut raw = Raw::open(&secure).await;
    let mut begun = 0;
    for stream in (1..).step_by(2) {
        raw.send(&get(stream, "/wait")).await;
        // Each is known to be at work before it is given up.
        match timeout(SHORT * 20, secure.port.events.recv()).await {
            Ok(Some("waiting")) => begun += 1,
            Ok(other) => panic!("{other:?}"),
            Err(_) => break,
        }
        raw.send(&reset(stream)).await;
        secure.port.event("gone").await;
        assert!(begun <= 3 * resets_max, "nobody stops it");
    }
    assert_eq!(raw.goodbye().await, Some(ENHANCE_YOUR_CALM));
    assert!(begun > resets_max, "{begun} were begun");
    others_are_unhurt(&secure).await;
}

#[tokio::test]
async fn a_burst_of_requests_that_are_given_up_at_once_begins_few_of_them() {
    let mut secure = Secure::start(patient()).await;
    let mut raw = Raw::open(&secure).await;
    let burst: Vec<u8> =
        (1..2000).step_by(2).flat_map(|stream| [get(stream, "/wait"), reset(stream)].concat()).collect();
    raw.send(&burst).await;
    assert_eq!(raw.goodbye().await, Some(ENHANCE_YOUR_CALM));
    others_are_unhurt(&secure).await;
    let mut begun = 0;
    while let Ok(event) = secure.port.events.try_recv() {
        begun += usize::from(event == "waiting");
    }
    assert!(begun < 500, "{begun} of 1000 were begun");
}

#[tokio::test]
async fn a_header_block_without_end_is_sent_away() {
    let secure = Secure::start(patient()).await;
    for piece in [&b""[..], &field("x", "y").repeat(1000)] {
        let mut raw = Raw::open(&secure).await;
        raw.send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/", &[]))).await;
        for _ in 0..100 {
            raw.send(&frame(CONTINUATION, 0, 1, piece)).await;
        }
        assert_eq!(raw.goodbye().await, Some(ENHANCE_YOUR_CALM));
    }
    others_are_unhurt(&secure).await;
}

#[tokio::test]
async fn a_header_block_that_stops_keeps_no_connection_open() {
    let settings = Settings { idle_timeout: SHORT, drain: SHORT, ..patient() };
    let secure = Secure::start(settings).await;
    let mut raw = Raw::open(&secure).await;
    raw.send(&frame(HEADERS, END_STREAM, 1, &fields("GET", "/", &[]))).await;
    assert_eq!(raw.goodbye().await, Some(NO_ERROR));
}

#[tokio::test]
async fn a_client_that_does_not_begin_is_not_waited_for() {
    let secure = Secure::start(Settings { header_timeout: SHORT * 5, ..patient() }).await;
    let mut silent = Raw(dial(&secure.port, &secure.files, &["h2"]).await.unwrap());
    silent.send(&PREFACE[..10]).await;
    assert_eq!(silent.goodbye().await, None);
}

#[tokio::test]
async fn a_header_list_above_the_limits_is_431() {
    let secure = Secure::start(patient()).await;
    let long = "x".repeat(100);
    let small = field("x", "y").repeat(101);
    let large = field("x", &long).repeat(300);
    for more in [small, large] {
        let mut raw = Raw::open(&secure).await;
        let block = [fields("GET", "/", &[]), more].concat();
        let mut pieces = block.chunks(16 << 10);
        let mut bytes = frame(HEADERS, END_STREAM, 1, pieces.next().unwrap());
        bytes.extend(pieces.flat_map(|piece| frame(CONTINUATION, 0, 1, piece)));
        bytes.extend(frame(CONTINUATION, END_HEADERS, 1, &[]));
        raw.send(&bytes).await;
        let answer = raw.next(HEADERS).await;
        assert!(contains_status(&answer.payload, 431), "{:x?}", answer.payload);
    }
    others_are_unhurt(&secure).await;
}

/// Whether a header list has a status, as `h2` writes it: by its number in HPACK's table, or in Huffman's code.
fn contains_status(list: &[u8], status: u16) -> bool {
    let written: &[u8] = match status {
        400 => &[0x8c],
        431 => &[0x48, 0x83, 0x69, 0x90, 0xff],
        _ => panic!("how is {status} written?"),
    };
    list.starts_with(written)
}

#[tokio::test]
async fn requests_that_could_be_read_in_two_ways_never_reach_the_service() {
    let secure = Secure::start(patient()).await;
    for (method, path, more) in [
        ("GET", "/", &[("connection", "close")][..]),
        ("GET", "/", &[("transfer-encoding", "chunked")]),
        ("GET", "/", &[("keep-alive", "1")]),
        ("GET", "/", &[("proxy-connection", "close")]),
        ("GET", "/", &[("upgrade", "websocket")]),
        ("GET", "/", &[("te", "gzip")]),
        ("GET", "/", &[("Upper", "case")]),
        ("GET", "/", &[(":path", "/other")]),
        ("GET", "/", &[(":status", "200")]),
        ("GET", "", &[]),
        ("POST", "/echo", &[("content-length", "5")]),
        ("POST", "/echo", &[("content-length", "0"), ("content-length", "5")]),
    ] {
        let mut raw = Raw::open(&secure).await;
        let list = fields(method, path, more);
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &list)).await;
        loop {
            let answer = raw.frame().await.expect("the connection ended");
            match answer.kind {
                RST_STREAM | GOAWAY => {
                    assert_eq!(answer.reason(), PROTOCOL_ERROR, "{more:?}");
                    break;
                }
                HEADERS => panic!("{method} {path} {more:?} was answered"),
                _ => {}
            }
        }
    }
    for (path, more, status) in [
        ("/", &[("host", "example.org")][..], 400),
        ("/", &[(":authority", "user@localhost")], 400),
        ("/", &[("x", " y")], 400),
    ] {
        let mut raw = Raw::open(&secure).await;
        raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields("GET", path, more))).await;
        let answer = raw.next(HEADERS).await;
        assert!(contains_status(&answer.payload, status), "{more:?}: {:x?}", answer.payload);
    }
    others_are_unhurt(&secure).await;
}

#[tokio::test]
async fn a_body_that_disagrees_with_its_length_reaches_no_service_whole() {
    let secure = Secure::start(patient()).await;
    for body in [&b"four"[..], b"sixsix"] {
        let mut raw = Raw::open(&secure).await;
        let list = fields("POST", "/echo", &[("content-length", "5")]);
        raw.send(&frame(HEADERS, END_HEADERS, 1, &list)).await;
        raw.send(&frame(DATA, END_STREAM, 1, body)).await;
        assert_eq!(raw.next(RST_STREAM).await.reason(), PROTOCOL_ERROR);
    }
}

#[tokio::test]
async fn more_requests_at_once_than_allowed_are_refused() {
    let mut secure = Secure::start(Settings { http2_streams_max: 2, ..patient() }).await;
    let mut raw = Raw::open(&secure).await;
    // It has to know the limit before it can be held to it.
    raw.next(SETTINGS).await;
    raw.send(&frame(SETTINGS, 1, 0, &[])).await;
    raw.send(&[get(1, "/wait"), get(3, "/wait"), get(5, "/wait")].concat()).await;
    let refused = raw.next(RST_STREAM).await;
    assert_eq!((refused.stream, refused.reason()), (5, REFUSED_STREAM));
    secure.port.event("waiting").await;
    secure.port.event("waiting").await;
    assert!(secure.port.events.try_recv().is_err(), "a third one reached the service");
}

#[tokio::test]
async fn a_client_that_gives_no_sign_of_life_is_given_up() {
    let settings = Settings { http2_ping_interval: SHORT, http2_ping_timeout: SHORT, ..patient() };
    let mut secure = Secure::start(settings).await;
    let mut raw = Raw::open(&secure).await;
    raw.send(&get(1, "/wait")).await;
    secure.port.event("waiting").await;
    // It reads, but answers no ping.
    secure.port.event("gone").await;
    assert_eq!(raw.goodbye().await, None);
}

#[tokio::test]
async fn a_client_that_answers_pings_may_wait() {
    let interval = SHORT / 5;
    let settings = Settings { http2_ping_interval: interval, http2_ping_timeout: SHORT * 10, ..patient() };
    let mut secure = Secure::start(settings).await;
    let mut raw = Raw::open(&secure).await;
    raw.send(&get(1, "/wait")).await;
    secure.port.event("waiting").await;
    for _ in 0..5 {
        let ping = raw.next(PING).await;
        raw.send(&frame(PING, 1, 0, &ping.payload)).await;
    }
    secure.port.service.gate.notify_one();
    assert_eq!(raw.next(DATA).await.payload, b"waited\n");
}
