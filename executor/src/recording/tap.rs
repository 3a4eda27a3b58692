//! What watches a request's body and an answer as they pass, without holding more than the bound.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use wasmcloud_wire::{Digest, Header, RECORDED_BODY_BYTES_MAX};

use crate::guest::Part;

/// Watches one invocation.
pub(crate) struct Tap(Mutex<Passed>);

#[derive(Default)]
struct Passed {
    /// The request's body, for a program that takes it as it comes.
    request: Option<Streamed>,
    status: Option<u16>,
    headers: Vec<Header>,
    body: Sha256,
    body_bytes: u64,
    trailers: bool,
}

#[derive(Default)]
struct Streamed {
    kept: BytesMut,
    bytes: u64,
    ended: bool,
}

/// What has passed.
pub(super) struct Flowed {
    /// A streamed request's body: `None` if it does not come as a stream.
    pub(super) request: Option<Option<Bytes>>,
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<Header>,
    pub(super) body_digest: Digest,
    pub(super) body_bytes: u64,
    pub(super) gaps: Vec<String>,
}

impl Tap {
    /// Watches an invocation whose request's body streams, or does not.
    pub(crate) fn new(streams: bool) -> Tap {
        Tap(Mutex::new(Passed { request: streams.then(Streamed::default), ..Passed::default() }))
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A piece of the request's body passes.
    pub(crate) fn request(&self, bytes: &[u8]) {
        if let Some(streamed) = &mut self.passed().request {
            streamed.bytes += bytes.len() as u64;
            if streamed.bytes <= RECORDED_BODY_BYTES_MAX as u64 {
                streamed.kept.extend_from_slice(bytes);
            } else {
                streamed.kept = BytesMut::new();
            }
        }
    }

    /// The request's body came to its end.
    pub(crate) fn request_ended(&self) {
        if let Some(streamed) = &mut self.passed().request {
            streamed.ended = true;
        }
    }

    /// A part of the answer passes.
    pub(crate) fn answer(&self, part: &Part) {
        let mut passed = self.passed();
        match part {
            Part::Whole { status, headers, content_length, body } => {
                passed.head(*status, headers, *content_length);
                passed.body(body);
            }
            Part::Head { status, headers, content_length } => passed.head(*status, headers, *content_length),
            Part::Body(bytes) => passed.body(bytes),
            Part::Trailers(_) => passed.trailers = true,
            Part::Log(_) | Part::End { .. } => {}
        }
    }

    /// What has passed, which is then gone from here.
    pub(super) fn take(&self) -> Flowed {
        let Passed { request, status, headers, body, body_bytes, trailers } =
            std::mem::take(&mut *self.passed());
        let mut gaps = Vec::new();
        let request = request.map(|streamed| streamed.finish(&mut gaps));
        if trailers {
            gaps.push("the fields after the answer's body are not recorded".to_owned());
        }
        let body_digest = Digest::from(<[u8; 32]>::from(body.finalize()));
        Flowed { request, status, headers, body_digest, body_bytes, gaps }
    }
}

impl Passed {
    fn head(&mut self, status: u16, headers: &[Header], content_length: Option<u64>) {
        self.status = Some(status);
        self.headers = headers.to_vec();
        self.headers.extend(content_length.map(|length| ("content-length".to_owned(), length.to_string())));
    }

    fn body(&mut self, bytes: &[u8]) {
        self.body.update(bytes);
        self.body_bytes += bytes.len() as u64;
    }
}

impl Streamed {
    fn finish(self, gaps: &mut Vec<String>) -> Option<Bytes> {
        if self.bytes > RECORDED_BODY_BYTES_MAX as u64 {
            gaps.push(too_large(self.bytes));
            return None;
        }
        if !self.ended {
            gaps.push(format!(
                "the program read {} bytes of the request's body and not its end; what it read is recorded",
                self.bytes
            ));
        }
        Some(self.kept.freeze())
    }
}

/// A whole body, if it is small enough.
pub(super) fn bounded(body: Option<Bytes>, gaps: &mut Vec<String>) -> Option<Bytes> {
    let body = body?;
    if body.len() > RECORDED_BODY_BYTES_MAX {
        gaps.push(too_large(body.len() as u64));
        return None;
    }
    Some(body)
}

fn too_large(bytes: u64) -> String {
    format!(
        "the request's body had {bytes} bytes; at most {RECORDED_BODY_BYTES_MAX} are recorded, so none are"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamed_body_is_held_up_to_the_bound_and_no_further() {
        let tap = Tap::new(true);
        tap.request(&[1; RECORDED_BODY_BYTES_MAX]);
        assert_eq!(tap.passed().request.as_ref().map(|one| one.kept.len()), Some(RECORDED_BODY_BYTES_MAX));
        tap.request(&[2]);
        assert_eq!(tap.passed().request.as_ref().map(|one| one.kept.capacity()), Some(0));
        tap.request_ended();
        let flowed = tap.take();
        assert_eq!(flowed.request, Some(None));
        assert!(flowed.gaps[0].contains("had 65537 bytes"), "{:?}", flowed.gaps);
    }

    #[test]
    fn what_a_program_did_not_read_is_a_gap() {
        let tap = Tap::new(true);
        tap.request(b"half");
        let flowed = tap.take();
        assert_eq!(flowed.request, Some(Some(Bytes::from_static(b"half"))));
        assert!(flowed.gaps[0].contains("read 4 bytes"), "{:?}", flowed.gaps);
        let tap = Tap::new(true);
        tap.request(b"all");
        tap.request_ended();
        assert_eq!(tap.take().gaps, Vec::<String>::new());
    }

    #[test]
    fn an_answer_in_pieces_has_the_digest_of_the_whole() {
        let head = |body| Part::Whole { status: 200, headers: Vec::new(), content_length: None, body };
        let (one, other) = (Tap::new(false), Tap::new(false));
        one.answer(&head(Bytes::from_static(b"hello world")));
        other.answer(&Part::Head { status: 200, headers: Vec::new(), content_length: None });
        other.answer(&Part::Body(Bytes::from_static(b"hello ")));
        other.answer(&Part::Body(Bytes::from_static(b"world")));
        let (one, other) = (one.take(), other.take());
        assert_eq!((one.body_digest, one.body_bytes), (Digest::of(b"hello world"), 11));
        assert_eq!((other.body_digest, other.body_bytes), (one.body_digest, 11));
    }
}
