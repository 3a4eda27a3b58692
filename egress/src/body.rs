//! The body of an answer, as it comes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::{Bytes, BytesMut};
use tokio::time::timeout_at;

use crate::EgressError;
use crate::error::Step;
use crate::session::{Place, Traffic, Until};

/// The body of an answer, read piece by piece. It holds one of the invocation's places among the
/// connections until it has been read to its end, or dropped.
pub struct ResponseBody {
    open: Option<Open>,
    host: String,
    /// Bytes that may still come.
    left: u64,
    max: u64,
    until: Until,
    traffic: Arc<Traffic>,
    /// Why nothing more comes, if not because that was all.
    failed: Option<EgressError>,
}

struct Open {
    response: reqwest::Response,
    _place: Place,
}

impl ResponseBody {
    pub(crate) fn new(
        response: reqwest::Response,
        host: String,
        max: u64,
        until: Until,
        place: Place,
        traffic: Arc<Traffic>,
    ) -> ResponseBody {
        let open = Some(Open { response, _place: place });
        ResponseBody { open, host, left: max, max, until, traffic, failed: None }
    }

    /// The next piece; `None` at the end. An answer that is too large is cut at the limit: the piece before
    /// is the last, and the next call says so, and so do all that follow.
    ///
    /// # Errors
    /// The answer is too large, takes too long, or breaks off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, EgressError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        match timeout_at(self.until.at, open.response.chunk()).await {
            Ok(Ok(Some(piece))) => self.take(piece).map(Some),
            Ok(Ok(None)) => {
                self.open = None;
                Ok(None)
            }
            Ok(Err(error)) => {
                let reason =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |one| one.source())
                        .last()
                        .map(ToString::to_string);
                Err(self.fail(EgressError::Protocol {
                    host: self.host.clone(),
                    reason: reason.unwrap_or_default(),
                }))
            }
            Err(_) => Err(self.fail(self.until.late(Step::Request))),
        }
    }

    /// All of it.
    ///
    /// # Errors
    /// As [`ResponseBody::chunk`].
    pub async fn collect(mut self) -> Result<Bytes, EgressError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.chunk().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    fn take(&mut self, mut piece: Bytes) -> Result<Bytes, EgressError> {
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if bytes <= self.left {
            self.left -= bytes;
        } else {
            let error = self.fail(EgressError::ResponseTooLarge { host: self.host.clone(), max: self.max });
            if self.left == 0 {
                return Err(error);
            }
            piece.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left = 0;
        }
        self.traffic.received.fetch_add(u64::try_from(piece.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(piece)
    }

    /// Closes the connection and remembers why.
    fn fail(&mut self, error: EgressError) -> EgressError {
        self.open = None;
        self.failed = Some(error.clone());
        error
    }
}
