//! How much of a program's body may pass, so that it agrees with its `Content-Length`.

use crate::output::{Answer, Head};

/// Follows a body and cuts off what would not belong to the answer.
///
/// More than the program declared is never sent: on a connection that is used again it would pass
/// for the beginning of the next answer.
#[derive(Clone, Debug)]
pub struct Framing {
    declared: Option<u64>,
    /// What to say on the wire.
    content_length: Option<u64>,
    /// Whether the answer has a body at all.
    has_body: bool,
    /// Bytes that the program wrote.
    written: u64,
}

/// How a body that the program has ended relates to what it declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As declared, or nothing was declared, or the answer has no body.
    Complete,
    /// Shorter: the connection has to be cut, so that the client sees a truncated answer.
    Short {
        /// Bytes that the program declared.
        declared: u64,
        /// Bytes that it wrote.
        written: u64,
    },
    /// Longer: what was too much was cut off, and the log should say so.
    Long {
        /// Bytes that the program declared.
        declared: u64,
        /// Bytes that it wrote.
        written: u64,
    },
}

impl Framing {
    /// The framing of an answer to a request with `method`. A local redirect has no body.
    pub fn new(answer: &Answer, method: &str) -> Framing {
        match answer {
            Answer::Document(head) => Framing::document(head, method),
            Answer::Redirect(_) | Answer::LocalRedirect { .. } => Framing::without_body(Some(0)),
        }
    }

    fn document(head: &Head, method: &str) -> Framing {
        // RFC 9110: 204 never has the field (section 8.6), 205 has no content (section 15.3.6), and
        // 304's would speak of another answer's body.
        match (head.status, method) {
            (204 | 304, _) => Framing::without_body(None),
            (205, _) => Framing::without_body(Some(0)),
            (_, "HEAD") => Framing::without_body(head.declared_length),
            _ => Framing {
                declared: head.declared_length,
                content_length: head.declared_length,
                has_body: true,
                written: 0,
            },
        }
    }

    fn without_body(content_length: Option<u64>) -> Framing {
        Framing { declared: None, content_length, has_body: false, written: 0 }
    }

    /// The `Content-Length` to send; `None` where there is none to send.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Whether any byte of a body can pass.
    pub fn has_body(&self) -> bool {
        self.has_body
    }

    /// Takes note of the next `bytes` of the body and returns how many of them, from the first, pass.
    pub fn pass(&mut self, bytes: usize) -> usize {
        let before = self.written;
        // A `usize` has at most 64 bits, and no program writes 2^64 bytes.
        self.written = before.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if !self.has_body {
            return 0;
        }
        let room = self.declared.map_or(u64::MAX, |declared| declared.saturating_sub(before));
        bytes.min(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// How the body relates to what was declared, now that it has ended.
    pub fn ending(&self) -> Ending {
        let written = self.written;
        match self.declared {
            Some(declared) if written < declared => Ending::Short { declared, written },
            Some(declared) if written > declared => Ending::Long { declared, written },
            _ => Ending::Complete,
        }
    }
}
