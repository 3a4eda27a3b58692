//! An answer on its way to the program, as HTTP/1.1's own bytes.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::Response;
use olin::abi::Error;
use tokio::time::timeout;
use wasmcloud_egress::ResponseBody;

use crate::guest::Session;
use crate::olin::Failure;
use crate::olin::scheme::network::{AT_ONCE, told};

/// How long the first read waits for the body to begin once it has the head, so that programs that read
/// once get both.
const FIRST_PIECE_WAIT: Duration = Duration::from_millis(100);

/// An answer: its head, then its body as it comes.
pub(super) struct Answer {
    /// What is to be read next.
    kept: Bytes,
    body: ResponseBody,
    body_begun: bool,
    /// How it ended, if it has.
    ended: Option<Error>,
}

impl Answer {
    pub(super) fn new(response: Response<ResponseBody>) -> Answer {
        let kept = head(&response);
        Answer { kept, body: response.into_body(), body_begun: false, ended: None }
    }

    /// Reads what there is, and waits only where there is nothing.
    pub(super) fn read(&mut self, session: &mut Session, buffer: &mut [u8]) -> Result<usize, Failure> {
        let mut done = 0;
        while let Some(free) = buffer.get_mut(done..).filter(|free| !free.is_empty()) {
            if self.kept.is_empty() && !self.more(session, done > 0)? {
                break;
            }
            let bytes = free.len().min(self.kept.len());
            if let Some(target) = free.get_mut(..bytes) {
                self.kept.copy_to_slice(target);
            }
            done += bytes;
        }
        match self.ended {
            Some(error) if done == 0 && !buffer.is_empty() => Err(error.into()),
            _ => Ok(done),
        }
    }

    /// Gets the next piece of the body; `false` if there is none, or none yet.
    fn more(&mut self, session: &mut Session, has_some: bool) -> Result<bool, Failure> {
        if self.ended.is_some() {
            return Ok(false);
        }
        let piece = if has_some {
            let patience = if self.body_begun { AT_ONCE } else { FIRST_PIECE_WAIT };
            self.body_begun = true;
            match session.wait(timeout(patience, self.body.chunk()))? {
                Ok(piece) => piece,
                Err(_) => return Ok(false),
            }
        } else {
            session.wait(self.body.chunk())?
        };
        self.body_begun = true;
        match piece {
            Ok(Some(piece)) => {
                self.kept = piece;
                Ok(true)
            }
            Ok(None) => {
                self.ended = Some(Error::EndOfFile);
                Ok(false)
            }
            // What was read before counts; the next read is told.
            Err(_) if has_some => Ok(false),
            Err(error) => match told(session, &error) {
                Failure::Error(error) => {
                    self.ended = Some(error);
                    Ok(false)
                }
                stop => Err(stop),
            },
        }
    }
}

/// The status line and the header. Of what says where the body ends only a true `Content-Length` is left.
fn head(response: &Response<ResponseBody>) -> Bytes {
    let mut head = BytesMut::new();
    let status = response.status();
    let line = format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    head.extend_from_slice(line.as_bytes());
    for (name, value) in response.headers() {
        head.extend_from_slice(capitalised(name.as_str()).as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head.freeze()
}

/// `content-type` as `Content-Type`: what Olin's programs were given, and some look for.
fn capitalised(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_olin_wrote_them() {
        for (name, written) in [("content-type", "Content-Type"), ("etag", "Etag"), ("x--y-", "X--Y-")] {
            assert_eq!(capitalised(name), written);
        }
    }
}
