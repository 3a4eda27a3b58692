//! Frames of HTTP/2 that carry nothing: how many a client may send.
//!
//! WINDOW_UPDATE, PING, SETTINGS, PRIORITY, RST_STREAM, frames of unknown types and empty DATA cost
//! a client a few bytes and the server some work, an answer even. `h2` does not bound them, so they
//! are counted in the bytes that it reads: only the heads of frames are looked at (RFC 9113 section
//! 4.1). What an honest client has to say comes with requests and with the answers that it takes,
//! so those pay for it; all else comes out of a budget that time fills.

use tokio::time::Instant;

use super::budget::Budget;

/// Frames that carry nothing and that nothing paid for: at once.
const CONTROL_FRAMES_MAX: u32 = 1000;
/// The same: how many come back each second.
const CONTROL_FRAMES_RETURN: u32 = 500;
/// Bytes sent to the client that pay for one frame. Clients make room for more at two levels, some
/// for each 4 KiB that they take; this leaves room for answers in small pieces.
const BYTES_FOR_FRAME: u64 = 128;
/// Frames that a request pays for: for its weight, its windows, its end.
const FRAMES_FOR_REQUEST: u64 = 10;
/// Most that is saved up, in bytes: a client may say all that it has to say of as much at once.
const SAVED_BYTES_MAX: u64 = 4 << 20;
/// Frames that an answer to a ping counts as: nobody was asked so often, and `h2` logs each.
const FRAMES_OF_PONG: u32 = 50;

/// What a client sends before its first frame (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;
/// The head of a frame.
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const ACK: u8 = 1;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

/// Finds the heads of frames in bytes that come in any pieces.
#[derive(Debug)]
struct Heads {
    /// Bytes that belong to no head, before the next one.
    skip: usize,
    head: [u8; HEAD_BYTES],
    /// How much of `head` is there.
    filled: usize,
}

impl Heads {
    /// The next head in `bytes`, which are left after it.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Head> {
        let (skipped, rest) = bytes.split_at(self.skip.min(bytes.len()));
        self.skip -= skipped.len();
        let (piece, rest) = rest.split_at(rest.len().min(HEAD_BYTES - self.filled));
        for (to, from) in self.head.iter_mut().skip(self.filled).zip(piece) {
            *to = *from;
        }
        self.filled += piece.len();
        *bytes = rest;
        if self.filled < HEAD_BYTES {
            return None;
        }
        let [a, b, c, kind, flags, stream @ ..] = self.head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        (self.filled, self.skip) = (0, length);
        // The first bit means nothing.
        let stream = u32::from_be_bytes(stream) & (u32::MAX >> 1);
        Some(Head { length, kind, flags, stream })
    }
}

/// The frames of one connection, counted.
#[derive(Debug)]
pub(crate) struct Control {
    heads: Heads,
    budget: Budget,
    /// What requests and answers paid, in bytes.
    saved: u64,
    /// The last request's stream: a later one begins a request.
    last_stream: u32,
}

impl Control {
    pub(crate) fn new(now: Instant) -> Control {
        Control {
            heads: Heads { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], filled: 0 },
            budget: Budget::new(CONTROL_FRAMES_MAX, CONTROL_FRAMES_RETURN, now),
            saved: 0,
            last_stream: 0,
        }
    }

    /// Bytes went to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.save(bytes as u64);
    }

    /// Bytes came from the client; `false` once it sent too much that carries nothing.
    pub(crate) fn came(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        let mut allowed = true;
        while let Some(head) = self.heads.next(&mut bytes) {
            allowed &= self.allows(head, now);
        }
        allowed
    }

    fn allows(&mut self, head: Head, now: Instant) -> bool {
        match head.kind {
            // Windows and `h2` bound these.
            DATA if head.length > 0 => true,
            HEADERS if head.stream > self.last_stream => {
                self.last_stream = head.stream;
                self.save(FRAMES_FOR_REQUEST * BYTES_FOR_FRAME);
                true
            }
            PING if head.flags & ACK != 0 => (0..FRAMES_OF_PONG).all(|_| self.take(now)),
            _ => self.take(now),
        }
    }

    fn save(&mut self, bytes: u64) {
        self.saved = self.saved.saturating_add(bytes).min(SAVED_BYTES_MAX);
    }

    fn take(&mut self, now: Instant) -> bool {
        match self.saved.checked_sub(BYTES_FOR_FRAME) {
            Some(saved) => {
                self.saved = saved;
                true
            }
            None => self.budget.take(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, stream: u32, payload: usize) -> Vec<u8> {
        let length = u32::try_from(payload).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), &vec![0xff; payload]].concat()
    }

    /// How many of a frame are allowed, beginning now.
    fn allowed(control: &mut Control, frame: &[u8], now: Instant) -> u32 {
        (0..1_000_000).take_while(|_| control.came(frame, now)).count().try_into().unwrap()
    }

    fn begun(now: Instant) -> Control {
        let mut control = Control::new(now);
        assert!(control.came(PREFACE, now));
        control
    }

    #[test]
    fn heads_are_found_in_pieces_of_any_size() {
        let bytes = [
            PREFACE.to_vec(),
            frame(4, 0, 0, 0),
            frame(DATA, 1, 7, 70_000),
            frame(WINDOW_UPDATE, 0, 1 << 31 | 3, 4),
            frame(PING, 1, 0, 8),
        ]
        .concat();
        let seen = [(4, 0, 0, 0), (DATA, 1, 7, 70_000), (WINDOW_UPDATE, 0, 3, 4), (PING, 1, 0, 8)]
            .map(|(kind, flags, stream, length)| Head { length, kind, flags, stream });
        for size in [1, 2, 5, 9, 10, 23, 24, 33, 4096, bytes.len()] {
            let mut heads = Heads { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], filled: 0 };
            let mut found = Vec::new();
            for mut piece in bytes.chunks(size) {
                while let Some(head) = heads.next(&mut piece) {
                    found.push(head);
                }
            }
            assert_eq!(found, seen, "in pieces of {size}");
        }
    }

    #[test]
    fn what_carries_nothing_is_bounded_and_comes_back_with_time() {
        let now = Instant::now();
        for kind in [2, 3, 4, PING, 7, WINDOW_UPDATE, 9, 0x10, 0xff] {
            let mut control = begun(now);
            assert_eq!(allowed(&mut control, &frame(kind, 0, 0, 8), now), CONTROL_FRAMES_MAX, "{kind}");
            let later = now + Duration::from_secs(1);
            assert_eq!(allowed(&mut control, &frame(kind, 0, 0, 8), later), CONTROL_FRAMES_RETURN);
        }
        assert_eq!(allowed(&mut begun(now), &frame(DATA, 0, 1, 0), now), CONTROL_FRAMES_MAX);
        assert_eq!(
            allowed(&mut begun(now), &frame(PING, ACK, 0, 8), now),
            CONTROL_FRAMES_MAX / FRAMES_OF_PONG
        );
    }

    #[test]
    fn answers_and_requests_pay_for_what_is_said_of_them() {
        let now = Instant::now();
        let mut control = begun(now);
        let update = frame(WINDOW_UPDATE, 0, 0, 4);
        control.sent(100 * usize::try_from(BYTES_FOR_FRAME).unwrap());
        assert_eq!(allowed(&mut control, &update, now), 100 + CONTROL_FRAMES_MAX);
        assert!(control.came(&frame(HEADERS, 4, 3, 100), now));
        // Trailers, and a stream that is over, begin no request.
        assert!(control.came(&frame(HEADERS, 4, 3, 100), now));
        assert!(control.came(&frame(HEADERS, 4, 1, 100), now));
        assert_eq!(u64::from(allowed(&mut control, &update, now)), FRAMES_FOR_REQUEST - 2);
        assert!(control.came(&frame(DATA, 0, 3, 1), now), "a body is bounded by its window");
        control.sent(usize::MAX);
        assert_eq!(u64::from(allowed(&mut control, &update, now)), SAVED_BYTES_MAX / BYTES_FOR_FRAME);
    }
}
