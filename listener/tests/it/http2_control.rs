//! Frames of HTTP/2 that carry nothing: floods of them, and the clients that need many.

use std::fs;

use http::{StatusCode, Version};
use reqwest::Certificate;

use crate::harness::{LARGE_BYTES, patient, within};
use crate::http2::Secure;
use crate::http2_floods::{
    DATA, END_STREAM, ENHANCE_YOUR_CALM, PING, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, frame,
    get, others_are_unhurt,
};

/// More than any client may send for nothing, however slow the test is.
const FLOOD_FRAMES: usize = 4000;
/// A type of frame that nobody knows.
const UNKNOWN: u8 = 0xfa;
/// The smallest windows that a client may begin with and still take a frame at a time.
const SMALL_WINDOW: u32 = 16 << 10;

fn update(stream: u32, bytes: usize) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &u32::try_from(bytes).unwrap().to_be_bytes())
}

/// A flood ends its own connection. One that was open before and one that comes after are answered
/// meanwhile.
async fn ends(flood: &[u8]) {
    let secure = Secure::start(patient()).await;
    let mut other = secure.link_with(&h2::client::Builder::new()).await;
    let mut raw = Raw::open(&secure).await;
    raw.send(&flood.repeat(FLOOD_FRAMES)).await;
    assert_eq!(other.get("/").await, (StatusCode::OK, "path /\n".to_owned()));
    others_are_unhurt(&secure).await;
    assert_eq!(raw.goodbye().await, Some(ENHANCE_YOUR_CALM));
    assert_eq!(other.get("/").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_flood_of_pings_ends_its_connection_alone() {
    ends(&frame(PING, 0, 0, &[7; 8])).await;
}

#[tokio::test]
async fn a_flood_of_answers_to_no_ping_ends_its_connection_alone() {
    ends(&frame(PING, 1, 0, &[7; 8])).await;
}

#[tokio::test]
async fn a_flood_of_window_updates_ends_its_connection_alone() {
    ends(&update(0, 1)).await;
}

#[tokio::test]
async fn a_flood_of_settings_ends_its_connection_alone() {
    ends(&frame(SETTINGS, 0, 0, &[])).await;
}

#[tokio::test]
async fn a_flood_of_priorities_or_unknown_frames_ends_its_connection_alone() {
    ends(&frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 9])).await;
    ends(&frame(UNKNOWN, 0, 0, b"what")).await;
}

#[tokio::test]
async fn a_flood_about_a_stream_that_is_over_ends_its_connection_alone() {
    let secure = Secure::start(patient()).await;
    for flood in [frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]), update(1, 1)] {
        let mut raw = Raw::open(&secure).await;
        raw.send(&get(1, "/")).await;
        raw.next(DATA).await;
        raw.send(&flood.repeat(FLOOD_FRAMES)).await;
        assert_eq!(raw.goodbye().await, Some(ENHANCE_YOUR_CALM));
    }
    others_are_unhurt(&secure).await;
}

#[tokio::test]
async fn who_makes_room_for_each_piece_of_a_large_answer_is_not_sent_away() {
    let secure = Secure::start(patient()).await;
    let mut raw = Raw::open(&secure).await;
    raw.send(&get(1, "/large")).await;
    let (mut bytes, mut updates) = (0, 0);
    loop {
        let data = raw.next(DATA).await;
        let came = data.payload.len();
        bytes += came;
        if data.flags & END_STREAM != 0 {
            break;
        }
        if came > 0 {
            raw.send(&[update(0, came), update(1, came)].concat()).await;
            updates += 2;
        }
    }
    assert_eq!(bytes, LARGE_BYTES);
    assert!(updates > FLOOD_FRAMES, "{updates}");
    raw.send(&get(3, "/")).await;
    assert_eq!(raw.next(DATA).await.payload, b"path /\n");
}

#[tokio::test]
async fn a_library_with_small_windows_takes_large_answers_over_one_connection() {
    let secure = Secure::start(patient()).await;
    let mut client = h2::client::Builder::new();
    client.initial_window_size(SMALL_WINDOW).initial_connection_window_size(SMALL_WINDOW);
    let mut link = secure.link_with(&client).await;
    for _ in 0..2 {
        assert_eq!(link.get("/large").await.1.len(), LARGE_BYTES);
    }
    let pem = fs::read(&secure.files.certificate).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([Certificate::from_pem(&pem).unwrap()])
        .resolve("localhost", secure.port.addr)
        .http2_initial_stream_window_size(SMALL_WINDOW)
        .http2_initial_connection_window_size(SMALL_WINDOW)
        .build()
        .unwrap();
    let url = format!("https://localhost:{}/large", secure.port.addr.port());
    for _ in 0..2 {
        let answer = within("an answer", client.get(&url).send()).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        assert_eq!(within("all of it", answer.bytes()).await.unwrap().len(), LARGE_BYTES);
    }
}

#[tokio::test]
async fn many_small_requests_with_pings_are_all_answered() {
    const REQUESTS: u32 = 500;
    const PINGS_FOR_EACH: usize = 8;
    let secure = Secure::start(patient()).await;
    let mut raw = Raw::open(&secure).await;
    for number in 0..REQUESTS {
        let pings = frame(PING, 0, 0, &[7; 8]).repeat(PINGS_FOR_EACH);
        raw.send(&[get(2 * number + 1, "/"), pings].concat()).await;
        let (mut answered, mut pongs) = (false, 0);
        while !answered || pongs < PINGS_FOR_EACH {
            let seen = raw.frame().await.expect("the connection ended");
            answered |= seen.kind == DATA;
            pongs += usize::from(seen.kind == PING);
        }
    }
}
