//! Streams of one JSON text a line.

use bytes::{Buf as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use serde::de::DeserializeOwned;

use crate::client::chain;

/// Longest line, in bytes.
pub const LINE_BYTES_MAX: usize = 8 << 20;

/// Why a stream of lines cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The connection failed, or the stream ended within a line.
    #[error("the stream broke off: {0}")]
    BrokenOff(String),
    /// A line is longer than [`LINE_BYTES_MAX`].
    #[error("a line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not what was expected.
    #[error("unreadable line: {0}")]
    Unreadable(#[from] serde_json::Error),
}

struct Reader<S> {
    parts: S,
    buffer: BytesMut,
    over: bool,
}

/// The values of a stream of lines. After an error, and at the stream's own end, nothing follows.
pub fn lines<T, S, E>(parts: S) -> impl Stream<Item = Result<T, LineError>> + Send
where
    T: DeserializeOwned + Send,
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: std::error::Error + 'static,
{
    let reader = Reader { parts, buffer: BytesMut::new(), over: false };
    stream::unfold(reader, |mut reader| async move {
        if reader.over {
            return None;
        }
        let line = reader.next().await.transpose()?;
        let value = line.and_then(|line| serde_json::from_slice(&line).map_err(LineError::Unreadable));
        reader.over = value.is_err();
        Some((value, reader))
    })
}

impl<S, E> Reader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: std::error::Error + 'static,
{
    async fn next(&mut self) -> Result<Option<BytesMut>, LineError> {
        let mut searched = 0;
        loop {
            let unsearched = self.buffer.get(searched..).unwrap_or_default();
            if let Some(length) = unsearched.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(searched + length);
                self.buffer.advance(1);
                return Ok(Some(line));
            }
            searched = self.buffer.len();
            if searched > LINE_BYTES_MAX {
                return Err(LineError::TooLong);
            }
            match self.parts.next().await {
                Some(Ok(part)) => self.buffer.extend_from_slice(&part),
                Some(Err(error)) => return Err(LineError::BrokenOff(chain(&error))),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(LineError::BrokenOff("it ended within a line".to_owned())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn read(parts: &[&'static str]) -> Vec<Result<u32, LineError>> {
        let parts: Vec<Result<Bytes, io::Error>> =
            parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
        futures::executor::block_on(lines(stream::iter(parts)).collect())
    }

    #[test]
    fn lines_are_found_however_they_were_cut() {
        let values: Vec<u32> = read(&["1\n2", "", "3\n", "4\n5\n"]).into_iter().map(Result::unwrap).collect();
        assert_eq!(values, [1, 23, 4, 5]);
    }

    #[test]
    fn what_follows_an_error_is_not_read() {
        let values = read(&["1\nx\n2\n"]);
        assert!(matches!(values.as_slice(), [Ok(1), Err(LineError::Unreadable(_))]));
        assert!(matches!(read(&["1\n2"]).as_slice(), [Ok(1), Err(LineError::BrokenOff(_))]));
    }
}
