//! The client: so many connections, each with one request after the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What to ask.
#[derive(Clone, Debug)]
pub struct Request {
    /// The host that is asked for.
    pub host: String,
    /// A body makes it a POST.
    pub body: Vec<u8>,
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Answers with status 200.
    pub answers: u64,
    /// How long the round was.
    pub took: Duration,
    /// How long each answer took, in microseconds, sorted.
    pub latencies_us: Vec<u32>,
}

impl Round {
    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }

    /// The latency that so many of a thousand answers do not exceed, in microseconds.
    pub fn latency_us(&self, of_1000: usize) -> u32 {
        let place = (self.latencies_us.len() * of_1000 / 1000).min(self.latencies_us.len().saturating_sub(1));
        self.latencies_us.get(place).copied().unwrap_or(0)
    }
}

/// Asks a server for so long, over so many connections.
///
/// # Errors
///
/// A connection fails, or an answer is not 200.
pub async fn round(
    addr: SocketAddr,
    request: &Request,
    connections: usize,
    length: Duration,
) -> anyhow::Result<Round> {
    let head =
        if request.body.is_empty() { "GET / HTTP/1.1".to_owned() } else { "POST / HTTP/1.1".to_owned() };
    let length_field = match request.body.len() {
        0 => String::new(),
        bytes => format!("content-length: {bytes}\r\n"),
    };
    let mut bytes = format!("{head}\r\nhost: {}\r\n{length_field}\r\n", request.host).into_bytes();
    bytes.extend_from_slice(&request.body);
    let began = Instant::now();
    let until = began + length;
    let tasks: Vec<_> =
        (0..connections).map(|_| tokio::spawn(connection(addr, bytes.clone(), until))).collect();
    let mut latencies_us = Vec::new();
    for task in tasks {
        latencies_us.extend(task.await??);
    }
    let took = began.elapsed();
    latencies_us.sort_unstable();
    Ok(Round { answers: latencies_us.len() as u64, took, latencies_us })
}

async fn connection(addr: SocketAddr, request: Vec<u8>, until: Instant) -> anyhow::Result<Vec<u32>> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(64 << 10);
    while Instant::now() < until {
        let began = Instant::now();
        stream.write_all(&request).await?;
        answer(&mut stream, &mut buffer).await?;
        latencies.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    Ok(latencies)
}

/// Reads one answer to its end.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    buffer.clear();
    loop {
        let read = stream.read_buf(buffer).await?;
        ensure!(read > 0, "the connection was closed: {}", String::from_utf8_lossy(buffer));
        if is_whole(buffer)? {
            return Ok(());
        }
    }
}

/// Whether an answer has arrived whole.
fn is_whole(bytes: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(false) };
    let (head, body) = bytes.split_at(end + 4);
    let head = std::str::from_utf8(head).context("the header is no text")?.to_ascii_lowercase();
    ensure!(head.starts_with("http/1.1 200"), "answered {head}{}", String::from_utf8_lossy(body));
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Ok(match length {
        Some(length) => body.len() >= length,
        // Chunked, and no chunk of these answers looks like this.
        None => body.ends_with(b"0\r\n\r\n"),
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
