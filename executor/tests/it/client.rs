//! An HTTP client that shows what came over the wire, and whether it came whole.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wasmcloud_wire::{ErrorDetail, InvocationId};

use crate::app::within;

pub struct Client {
    stream: TcpStream,
    buffer: BytesMut,
    framing: Framing,
    reset: bool,
    /// The fields after the last body that came in chunks.
    pub trailers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
    Over,
    /// The connection ended where more had to come.
    Broken,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body came to the end that its head promised.
    pub complete: bool,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is repeated: {values:?}");
        values.first().copied()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    pub fn invocation(&self) -> InvocationId {
        self.header("wasmcloud-invocation").expect("the answer has an invocation's id").parse().unwrap()
    }

    /// The platform's own error, which every error of the edge is.
    pub fn error(&self) -> ErrorDetail {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: wasmcloud_wire::ErrorBody = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(body.error.request_id, self.invocation().to_string());
        assert!(!body.error.hint.is_empty() && !body.error.message.is_empty());
        body.error
    }
}

impl Client {
    pub async fn connect(addr: SocketAddr) -> Client {
        let stream = within("connect", TcpStream::connect(addr)).await.unwrap();
        let trailers = Vec::new();
        Client { stream, buffer: BytesMut::new(), framing: Framing::Over, reset: false, trailers }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within("send", self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// A whole answer, or as much of it as came.
    pub async fn answer(&mut self, to_head: bool) -> Answer {
        let mut answer = self.head(to_head).await;
        while let Some(part) = self.part().await {
            answer.body.extend_from_slice(&part);
        }
        answer.complete = self.framing != Framing::Broken;
        answer
    }

    /// The head of an answer; its body is to be read by [`Client::part`].
    pub async fn head(&mut self, to_head: bool) -> Answer {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await, "the connection ended without an answer: {:?}", self.buffer);
        };
        let head = String::from_utf8(self.buffer.split_to(end).to_vec()).unwrap();
        self.buffer.advance(4);
        let mut lines = head.split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no field: {line:?}")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        self.framing = match (value("content-length"), value("transfer-encoding")) {
            _ if to_head || matches!(status, 204 | 304) => Framing::Over,
            (Some(_), Some(_)) => panic!("a length and a transfer coding: {headers:?}"),
            (Some(length), None) => Framing::Length(length.parse().unwrap()),
            (None, Some(coding)) if coding == "chunked" => Framing::Chunked,
            _ => Framing::UntilClose,
        };
        Answer { status, headers, body: Vec::new(), complete: false }
    }

    /// The next part of a body; `None` at its end, and where it broke off.
    pub async fn part(&mut self) -> Option<Vec<u8>> {
        match self.framing {
            Framing::Length(0) => {
                self.framing = Framing::Over;
                None
            }
            Framing::Length(left) => {
                self.at_least(1).await?;
                let part = self.take(self.buffer.len().min(usize::try_from(left).unwrap()));
                self.framing = Framing::Length(left - part.len() as u64);
                Some(part)
            }
            Framing::Chunked => self.chunk().await,
            Framing::UntilClose => {
                if self.buffer.is_empty() && !self.more().await {
                    self.framing = Framing::Over;
                    return None;
                }
                Some(self.take(self.buffer.len()))
            }
            Framing::Over | Framing::Broken => None,
        }
    }

    async fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line().await?, 16).unwrap();
        if size == 0 {
            self.trailers.clear();
            loop {
                let line = self.line().await?;
                let Some((name, value)) = line.split_once(": ") else { break };
                self.trailers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            self.framing = Framing::Over;
            return None;
        }
        self.at_least(size + 2).await?;
        let part = self.take(size);
        self.buffer.advance(2);
        Some(part)
    }

    /// A line, without its end.
    async fn line(&mut self) -> Option<String> {
        let end = loop {
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            self.at_least(self.buffer.len() + 1).await?;
        };
        let line = String::from_utf8(self.take(end)).unwrap();
        self.buffer.advance(2);
        Some(line)
    }

    fn take(&mut self, bytes: usize) -> Vec<u8> {
        self.buffer.split_to(bytes).to_vec()
    }

    async fn at_least(&mut self, bytes: usize) -> Option<()> {
        while self.buffer.len() < bytes {
            if !self.more().await {
                self.framing = Framing::Broken;
                return None;
            }
        }
        Some(())
    }

    /// Reads something; a reset is an end as well.
    async fn more(&mut self) -> bool {
        let read = within("the answer goes on", self.stream.read_buf(&mut self.buffer)).await;
        self.reset |= read.is_err();
        read.is_ok_and(|bytes| bytes > 0)
    }

    /// Whether the connection ended with a reset.
    pub fn was_reset(&self) -> bool {
        self.reset
    }

    /// Whether the other side has ended the connection, with nothing left to read.
    pub async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more().await
    }
}
