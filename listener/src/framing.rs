//! Where requests begin and end in the bytes of a connection, and which framings are refused.
//!
//! hyper reads more than it should for a port that may stand behind a proxy: lines that end in a
//! bare LF, `Content-Length` beside `Transfer-Encoding`, one length given twice, codings before
//! `chunked`. Two parsers that understand such a request differently disagree about where the next
//! one begins, which is request smuggling (RFC 9112 sections 11.2 and 6.1). So the bytes pass this
//! scanner before hyper sees them. It takes a subset of what hyper takes:
//!
//! - every line of a header block, of a chunk's frame and of trailers ends in CRLF;
//! - at most one `Content-Length`, of 1 to 19 digits and nothing else;
//! - at most one `Transfer-Encoding`, which is `chunked`, and no `Content-Length` beside it.
//!
//! What hyper itself refuses (folded lines, a space before the colon, a bare CR, …) is not looked at
//! here: hyper answers it with 400 and closes. Of a request that both take, both find the same end,
//! so the scanner stays in step through keep-alive and pipelining.

/// As much of a line's beginning as is kept when it arrives in pieces: enough for the two fields
/// that matter, each with its longest value and more white space than anyone sends.
const LINE_START_BYTES: usize = 64;
/// Most digits of a `Content-Length`: any such number fits 64 bits.
const LENGTH_DIGITS_MAX: usize = 19;
/// Most digits of a chunk's size: any such number fits 64 bits.
const CHUNK_DIGITS_MAX: u8 = 15;

/// A connection's position in the stream of requests.
#[derive(Debug)]
pub(crate) struct Framing {
    state: State,
    line: Line,
    /// Header blocks that ended, wrapping.
    heads: u32,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The next request, which has not begun.
    Between,
    /// A header block.
    Head,
    /// A body.
    Body,
}

/// The first byte that may not be there, counted from the beginning of what was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) at: usize,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Head(Head),
    /// So many bytes of a body with a known length are left.
    Length(u64),
    Chunked(Chunk),
}

#[derive(Clone, Copy, Debug, Default)]
struct Head {
    /// Whether any byte of it was seen.
    begun: bool,
    /// Whether the request line is over; empty lines before it are passed over.
    request_line: bool,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug)]
enum Chunk {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers,
}

impl Default for Framing {
    fn default() -> Framing {
        Framing { state: State::Head(Head::default()), line: Line::default(), heads: 0 }
    }
}

impl Framing {
    pub(crate) fn phase(&self) -> Phase {
        match self.state {
            State::Head(Head { begun: false, .. }) => Phase::Between,
            State::Head(_) => Phase::Head,
            State::Length(_) | State::Chunked(_) => Phase::Body,
        }
    }

    /// How many header blocks have ended, wrapping: tells one request from the next.
    pub(crate) fn heads(&self) -> u32 {
        self.heads
    }

    /// Moves over bytes as they arrived. After a violation there is nothing more to be learnt.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut done = 0;
        while let Some((_, rest)) = bytes.split_at_checked(done)
            && !rest.is_empty()
        {
            let phase = self.phase();
            match self.step(rest) {
                Ok(used) => done += used,
                Err(at) => return Err(Violation { at: done + at, phase }),
            }
        }
        Ok(())
    }

    /// Takes at least one byte of `bytes`, which are not empty; says how many, or which one is bad.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, usize> {
        match self.state {
            State::Head(head) => self.step_head(head, bytes),
            State::Length(left) => {
                let (used, left) = skip(left, bytes);
                self.state = if left == 0 { State::Head(Head::default()) } else { State::Length(left) };
                Ok(used)
            }
            State::Chunked(chunk) => self.step_chunked(chunk, bytes),
        }
    }

    fn step_head(&mut self, mut head: Head, bytes: &[u8]) -> Result<usize, usize> {
        head.begun = true;
        let Some(at) = line_feed(bytes) else {
            self.line.keep(bytes);
            self.state = State::Head(head);
            return Ok(bytes.len());
        };
        let piece = bytes.get(..at).unwrap_or_default();
        let line = self.line.end(piece).ok_or(at)?;
        self.state = if line.start.is_empty() && head.request_line {
            self.heads = self.heads.wrapping_add(1);
            match head.length {
                _ if head.chunked => State::Chunked(Chunk::Size { size: 0, digits: 0 }),
                None | Some(0) => State::Head(Head::default()),
                Some(length) => State::Length(length),
            }
        } else {
            if head.request_line {
                head.field(&line).ok_or(at)?;
            }
            head.request_line |= !line.start.is_empty();
            State::Head(head)
        };
        Ok(at + 1)
    }

    fn step_chunked(&mut self, chunk: Chunk, bytes: &[u8]) -> Result<usize, usize> {
        let (used, next) = match chunk {
            Chunk::Data { left } => match skip(left, bytes) {
                (used, 0) => (used, Chunk::DataCr),
                (used, left) => (used, Chunk::Data { left }),
            },
            Chunk::Trailers => {
                let Some(at) = line_feed(bytes) else {
                    self.line.keep(bytes);
                    return Ok(bytes.len());
                };
                let piece = bytes.get(..at).unwrap_or_default();
                if self.line.end(piece).ok_or(at)?.start.is_empty() {
                    self.state = State::Head(Head::default());
                    return Ok(at + 1);
                }
                (at + 1, Chunk::Trailers)
            }
            framed => (1, framed.after(bytes.first().copied().unwrap_or_default()).ok_or(0_usize)?),
        };
        self.state = State::Chunked(next);
        Ok(used)
    }
}

impl Head {
    /// Takes a field line; `None` if it makes the request's end ambiguous.
    fn field(&mut self, line: &Ended<'_>) -> Option<()> {
        if let Some(value) = value_of(line.start, b"content-length") {
            let fits = line.whole && (1..=LENGTH_DIGITS_MAX).contains(&value.len());
            if !fits || self.length.is_some() || self.chunked {
                return None;
            }
            let mut length = 0_u64;
            for byte in value {
                length = length * 10 + decimal(*byte)?;
            }
            self.length = Some(length);
        } else if let Some(value) = value_of(line.start, b"transfer-encoding") {
            if !line.whole || !value.eq_ignore_ascii_case(b"chunked") || self.length.is_some() || self.chunked
            {
                return None;
            }
            self.chunked = true;
        }
        Some(())
    }
}

impl Chunk {
    /// What follows a byte of a chunk's frame; `None` if it may not be there.
    fn after(self, byte: u8) -> Option<Chunk> {
        match (self, byte) {
            (Chunk::Size { size, digits: 1.. }, b'\r') => Some(Chunk::SizeLf { size }),
            (Chunk::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => Some(Chunk::Extension { size }),
            (Chunk::Size { size, digits: digits @ 0..CHUNK_DIGITS_MAX }, digit) => {
                let value = char::from(digit).to_digit(16)?;
                Some(Chunk::Size { size: (size << 4) | u64::from(value), digits: digits + 1 })
            }
            (Chunk::Extension { size }, b'\r') => Some(Chunk::SizeLf { size }),
            (Chunk::Extension { .. }, b'\n') => None,
            (Chunk::Extension { .. }, _) => Some(self),
            (Chunk::SizeLf { size: 0 }, b'\n') => Some(Chunk::Trailers),
            (Chunk::SizeLf { size }, b'\n') => Some(Chunk::Data { left: size }),
            (Chunk::DataCr, b'\r') => Some(Chunk::DataLf),
            (Chunk::DataLf, b'\n') => Some(Chunk::Size { size: 0, digits: 0 }),
            _ => None,
        }
    }
}

/// A line that may arrive in pieces. Only its beginning is kept.
#[derive(Debug)]
struct Line {
    start: [u8; LINE_START_BYTES],
    /// Bytes seen of the line, all of them.
    seen: usize,
    last: u8,
}

/// A line that is over, without its CRLF.
struct Ended<'a> {
    start: &'a [u8],
    /// Whether it has at most [`LINE_START_BYTES`], and `start` is all of it for certain.
    whole: bool,
}

impl Default for Line {
    fn default() -> Line {
        Line { start: [0; LINE_START_BYTES], seen: 0, last: 0 }
    }
}

impl Line {
    /// Takes a piece that has no line feed.
    fn keep(&mut self, piece: &[u8]) {
        for (kept, byte) in self.start.iter_mut().skip(self.seen).zip(piece) {
            *kept = *byte;
        }
        self.seen = self.seen.saturating_add(piece.len());
        self.last = piece.last().copied().unwrap_or(self.last);
    }

    /// Takes the last piece, without its line feed; `None` if there is no CR before that.
    fn end<'a>(&'a mut self, piece: &'a [u8]) -> Option<Ended<'a>> {
        if self.seen == 0 {
            let start = piece.strip_suffix(b"\r")?;
            // How a line is cut may make no difference.
            return Some(Ended { start, whole: start.len() <= LINE_START_BYTES });
        }
        self.keep(piece);
        let length = self.seen - 1;
        self.seen = 0;
        let start = self.start.get(..length.min(LINE_START_BYTES))?;
        (self.last == b'\r').then_some(Ended { start, whole: length <= LINE_START_BYTES })
    }
}

/// Skips `left` bytes; says how many of `bytes` that takes, and how many are left then.
fn skip(left: u64, bytes: &[u8]) -> (usize, u64) {
    let used = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
    (used, left - used as u64)
}

fn line_feed(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// The value of a field line with that name, given in lower case, without white space around it.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn decimal(byte: u8) -> Option<u64> {
    byte.is_ascii_digit().then(|| u64::from(byte - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of frame, one request behind the other.
    const STREAM: &[u8] = b"\r\nGET / HTTP/1.1\r\nHost: a\r\nX: transfer-encoding: y\r\n\r\n\
        POST / HTTP/1.1\r\nConTent-LENGTH: \t 7 \r\n\r\n\r\n\r\nabc\
        POST / HTTP/1.1\r\nTransfer-Encoding:Chunked\r\n\r\n1\r\n\n\r\n0A ;x=\"y\"\r\n0123456789\r\n00\r\nT: v\r\n\r\n\
        POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n\
        GET / HTTP/1.1\r\nA-very-long-field: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n\r\n";

    fn state(framing: &Framing) -> (Phase, u32) {
        (framing.phase(), framing.heads())
    }

    #[test]
    fn requests_are_told_apart_however_they_are_cut() {
        for at in 0..STREAM.len() {
            let mut framing = Framing::default();
            framing.advance(&STREAM[..at]).unwrap();
            let mut bytewise = Framing::default();
            for byte in &STREAM[..at] {
                bytewise.advance(&[*byte]).unwrap();
            }
            assert_eq!(state(&framing), state(&bytewise), "cut at {at}");
            framing.advance(&STREAM[at..]).unwrap();
            assert_eq!(state(&framing), (Phase::Between, 5), "cut at {at}");
        }
    }

    #[test]
    fn phases_follow_the_bytes() {
        let mut framing = Framing::default();
        for (bytes, phase) in [
            ("", Phase::Between),
            ("P", Phase::Head),
            ("OST / HTTP/1.1\r\nContent-Length: 2\r\n\r", Phase::Head),
            ("\n", Phase::Body),
            ("a", Phase::Body),
            ("b", Phase::Between),
            ("\r\n", Phase::Head),
        ] {
            framing.advance(bytes.as_bytes()).unwrap();
            assert_eq!(framing.phase(), phase, "after {bytes:?}");
        }
    }

    #[test]
    fn the_first_bad_byte_is_named_however_the_bytes_are_cut() {
        let head = "POST / HTTP/1.1\r\n";
        for (bad, at, phase) in [
            ("X: y\n\r\n", 4, Phase::Head),
            ("Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 37, Phase::Head),
            ("Content-Length: 5x\r\n\r\n", 19, Phase::Head),
            ("Transfer-Encoding: chunked\r\n\r\n0\r\n\n", 33, Phase::Body),
            ("Transfer-Encoding: chunked\r\n\r\n1\r\nab", 34, Phase::Body),
            ("Transfer-Encoding: chunked\r\n\r\n;x\r\n", 30, Phase::Body),
            ("Transfer-Encoding: chunked\r\n\r\n0123456789abcdef\r\n", 45, Phase::Body),
        ] {
            let bytes = format!("{head}{bad}").into_bytes();
            let at = head.len() + at;
            for cut in 0..=at {
                let mut framing = Framing::default();
                framing.advance(&bytes[..cut]).unwrap();
                assert_eq!(
                    framing.advance(&bytes[cut..]),
                    Err(Violation { at: at - cut, phase }),
                    "{bad:?} cut at {cut}"
                );
            }
        }
    }
}
