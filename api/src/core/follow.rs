//! Following a handler's log: what there is, then what comes, as server-sent events.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{Stream, stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use wasmcloud_wire::{HandlerId, HandlerName, LogLine, Receipt};

use super::Core;
use crate::ApiError;
use crate::auth::Caller;
use crate::store::{LineFilter, LineSearch, LogQuery, Positioned, Positions, StoreError};

/// How long a follower waits for its waker before it looks by itself: another process that shares
/// the database may have written.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How often a silent stream says that it is alive.
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// How often it is asked whether the token and the handler are still there.
const RECHECK_EVERY: Duration = Duration::from_secs(5);
/// Lines, and receipts, that are read at once.
const BATCH: u32 = 500;
/// How often in a row the store may fail before the stream ends.
const FAILURES_MAX: u32 = 30;

/// What is followed, and by whom.
pub(crate) struct Follow {
    pub caller: Caller,
    pub handler: HandlerId,
    pub name: HandlerName,
    /// Which lines; the limit is for those that are there already.
    pub query: LogQuery,
    /// What they have to say. Receipts come in any case.
    pub filter: LineFilter,
    /// Where an earlier stream ended.
    pub resume: Option<ResumeAt>,
}

/// An event's id, `<line position>-<receipt position>`: everything up to there was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResumeAt(Positions);

impl FromStr for ResumeAt {
    type Err = ();

    fn from_str(text: &str) -> Result<ResumeAt, ()> {
        let (line, receipt) = text.split_once('-').ok_or(())?;
        let position = |text: &str| text.parse().ok().filter(|position| *position >= 0).ok_or(());
        Ok(ResumeAt(Positions { line: position(line)?, receipt: position(receipt)? }))
    }
}

impl Core {
    /// The events of a handler's log, until the client leaves, the server closes, or the token or
    /// the handler ends. `place` is kept as long as the stream.
    pub(crate) async fn follow(
        self: Arc<Core>,
        follow: Follow,
        place: [OwnedSemaphorePermit; 2],
    ) -> Result<impl Stream<Item = Bytes> + Send + 'static, ApiError> {
        let wake = self.hub.follow(follow.handler);
        // Taken before anything is read: what comes later is found by its position.
        let known = self.store.last_positions().await?;
        let mut follower = Follower {
            core: self,
            wake,
            at: follow.resume.map_or(known, |resume| resume.0),
            ready: BytesMut::from(": following\n\n"),
            sent_at: Instant::now(),
            checked_at: Instant::now(),
            failures: 0,
            follow,
            _place: place,
        };
        if follower.follow.resume.is_none() {
            follower.read_history(known).await?;
        }
        Ok(stream::unfold(follower, |mut follower| async move {
            follower.next().await.map(|part| (part, follower))
        }))
    }
}

struct Follower {
    core: Arc<Core>,
    follow: Follow,
    wake: watch::Receiver<()>,
    /// Everything up to here was sent or is in `ready`.
    at: Positions,
    ready: BytesMut,
    sent_at: Instant,
    checked_at: Instant,
    failures: u32,
    _place: [OwnedSemaphorePermit; 2],
}

impl Follower {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.ready.is_empty() {
                self.sent_at = Instant::now();
                return Some(self.ready.split().freeze());
            }
            if self.core.closing.is_cancelled() || !self.still_allowed().await {
                return None;
            }
            self.wake.borrow_and_update();
            match self.read_new().await {
                Ok(()) => self.failures = 0,
                Err(error) => {
                    self.failures += 1;
                    tracing::warn!(%error, failures = self.failures, "cannot read the log that is followed");
                    if self.failures >= FAILURES_MAX {
                        return None;
                    }
                }
            }
            if self.ready.is_empty() {
                self.wait().await;
            }
        }
    }

    async fn wait(&mut self) {
        tokio::select! {
            () = self.core.closing.cancelled() => {}
            _ = self.wake.changed() => {}
            () = tokio::time::sleep(POLL_EVERY) => {}
        }
        if self.sent_at.elapsed() >= KEEP_ALIVE_EVERY {
            self.ready.put_slice(b": keep-alive\n\n");
        }
    }

    /// Whether the token is still live and the handler still the caller's. A store that does not
    /// answer changes nothing.
    async fn still_allowed(&mut self) -> bool {
        if self.checked_at.elapsed() < RECHECK_EVERY {
            return true;
        }
        self.checked_at = Instant::now();
        let (store, caller) = (&self.core.store, &self.follow.caller);
        let known = self.core.is_live(caller).await;
        let found = store.find_handler(caller.user.id, &self.follow.name).await;
        let same = |id| id == self.follow.handler;
        known && found.map_or(true, |found| found.is_some_and(|found| same(found.id)))
    }

    /// The newest lines and receipts up to `known`, which may be fewer than asked for.
    async fn read_history(&mut self, known: Positions) -> Result<(), StoreError> {
        if self.follow.query.limit == 0 {
            return Ok(());
        }
        let mut lines = self.history().await?;
        let mut receipts = self.core.store.receipts(self.follow.handler, &self.follow.query).await?;
        lines.retain(|line| line.position <= known.line);
        receipts.retain(|receipt| receipt.position <= known.receipt);
        self.at = Positions {
            line: lines.iter().map(|line| line.position - 1).min().unwrap_or(known.line),
            receipt: receipts.iter().map(|receipt| receipt.position - 1).min().unwrap_or(known.receipt),
        };
        self.write(lines, receipts);
        self.at = known;
        Ok(())
    }

    /// The newest lines that are wanted.
    async fn history(&self) -> Result<Vec<Positioned<LogLine>>, StoreError> {
        let Follow { handler, query, filter, .. } = &self.follow;
        if filter.is_empty() {
            return self.core.store.log_lines(*handler, query).await;
        }
        let LogQuery { since, invocation, limit, .. } = *query;
        let search = LineSearch { since, until: None, invocation, filter: filter.clone(), limit };
        Ok(self.core.store.search_lines(*handler, &search).await?.lines)
    }

    /// What came after the last position. Receipts are read first: whoever sees one finds all of
    /// its lines, and they are to be sent before it.
    async fn read_new(&mut self) -> Result<(), StoreError> {
        let (store, handler) = (&self.core.store, self.follow.handler);
        let query = |after| LogQuery { after: Some(after), limit: BATCH, ..self.follow.query.clone() };
        let mut receipts = store.receipts(handler, &query(self.at.receipt)).await?;
        let lines = store.log_lines(handler, &query(self.at.line)).await?;
        if lines.len() >= BATCH as usize {
            receipts.clear();
        }
        self.write(lines, receipts);
        Ok(())
    }

    fn write(&mut self, mut lines: Vec<Positioned<LogLine>>, mut receipts: Vec<Positioned<Receipt>>) {
        lines.sort_by_key(|line| line.position);
        receipts.sort_by_key(|receipt| receipt.position);
        for line in lines {
            self.at.line = line.position;
            if self.follow.filter.wants(&line.record) {
                self.write_event("line", &line.record);
            }
        }
        for receipt in receipts {
            self.at.receipt = receipt.position;
            self.write_event("receipt", &receipt.record);
        }
    }

    fn write_event(&mut self, kind: &str, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(json) => {
                let Positions { line, receipt } = self.at;
                let event = format!("id: {line}-{receipt}\nevent: {kind}\ndata: {json}\n\n");
                self.ready.put_slice(event.as_bytes());
            }
            Err(error) => tracing::error!(%error, "cannot write a record as JSON"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_survives_its_text_and_nothing_else_is_one() {
        assert_eq!("12-3".parse(), Ok(ResumeAt(Positions { line: 12, receipt: 3 })));
        for text in ["", "-", "1", "1-", "-1-2", "1-2-3", "a-b"] {
            assert_eq!(text.parse::<ResumeAt>(), Err(()), "{text}");
        }
    }
}
