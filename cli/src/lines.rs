//! An answer that arrives line by line.

use std::time::Duration;

use bytes::{Buf, BytesMut};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::server::Server;
use crate::transport::transport_failure;

/// Longest line of a streamed answer: an event with a part of a body in base64 has to fit.
const LINE_BYTES_MAX: usize = 16 << 20;

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct LineBuffer {
    bytes: BytesMut,
    /// How many bytes are known to hold no line end.
    searched: usize,
}

impl LineBuffer {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line without its end (`\n` or `\r\n`).
    fn pop(&mut self) -> Option<BytesMut> {
        let found = self.bytes.iter().skip(self.searched).position(|byte| *byte == b'\n');
        let Some(length) = found.map(|offset| self.searched + offset) else {
            self.searched = self.bytes.len();
            return None;
        };
        self.searched = 0;
        let mut line = self.bytes.split_to(length);
        self.bytes.advance(1);
        if line.last() == Some(&b'\r') {
            line.truncate(line.len() - 1);
        }
        Some(line)
    }

    /// What came after the last line end.
    fn rest(&mut self) -> Option<BytesMut> {
        self.searched = 0;
        (!self.bytes.is_empty()).then(|| self.bytes.split())
    }
}

/// The lines of an answer, as they arrive.
#[derive(Debug)]
pub struct Lines {
    response: reqwest::Response,
    server: Server,
    buffer: LineBuffer,
    idle_max: Duration,
    ended: bool,
}

impl Lines {
    /// Reads an answer; it fails when nothing arrives for `idle_max`.
    pub fn new(response: reqwest::Response, server: Server, idle_max: Duration) -> Lines {
        Lines { response, server, buffer: LineBuffer::default(), idle_max, ended: false }
    }

    /// The next line; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<BytesMut>, Failure> {
        loop {
            if let Some(line) = self.buffer.pop() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(self.buffer.rest());
            }
            if self.buffer.bytes.len() > LINE_BYTES_MAX {
                return Err(Failure::new(
                    Exit::Failure,
                    "bad_answer",
                    format!("{} sent a line of more than {LINE_BYTES_MAX} bytes", self.server),
                    "",
                ));
            }
            match tokio::time::timeout(self.idle_max, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.buffer.push(&chunk),
                Ok(Ok(None)) => self.ended = true,
                Ok(Err(error)) => return Err(transport_failure(&self.server, error)),
                Err(_) => {
                    return Err(Failure::new(
                        Exit::Unreachable,
                        "idle",
                        format!("{} sent nothing for {} s", self.server, self.idle_max.as_secs()),
                        "try again",
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let text = b"one\r\n\ntwo\nthree";
        for size in 1..=text.len() {
            let mut buffer = LineBuffer::default();
            let mut lines = Vec::new();
            for chunk in text.chunks(size) {
                buffer.push(chunk);
                while let Some(line) = buffer.pop() {
                    lines.push(line);
                }
            }
            lines.extend(buffer.rest());
            assert_eq!(lines, [&b"one"[..], b"", b"two", b"three"], "in chunks of {size}");
        }
    }
}
