//! Receipts and log lines on their way to the control plane: queued, batched, retried.
//!
//! Nothing that answers a request waits here. When the queue is full, records of successful
//! invocations are dropped first; how many, the next record of the same handler says.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use wasmcloud_wire::{ControlPlane, ControlPlaneError, HandlerId, Level, LogLine, Record, Source, Timestamp};

use crate::recording;

/// Most records that wait; beyond half of it, successes are dropped.
const RECORDS_MAX: usize = 20_000;
/// About the most bytes that wait; beyond half of it, successes are dropped.
const BYTES_MAX: usize = 64 << 20;
/// Most records in one batch.
const BATCH_RECORDS_MAX: usize = 500;
/// About the most bytes in one batch: a transaction that others do not wait long for.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// What a line, a receipt and a record weigh besides their texts, in bytes.
const LINE_BYTES: usize = 128;
const RECEIPT_BYTES: usize = 1_024;
const RECORD_BYTES: usize = 64;
/// How long a record waits for others to make a batch with.
const BATCH_WAIT: Duration = Duration::from_millis(50);
/// First and longest pause after a batch was not taken.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// The queue of records.
pub(crate) struct Recorder {
    queue: Mutex<Queue>,
    arrived: Notify,
    emptied: Notify,
}

#[derive(Default)]
struct Queue {
    records: VecDeque<Record>,
    bytes: usize,
    /// Records taken out to be sent, and not yet known to have arrived.
    in_flight: usize,
    dropped: HashMap<HandlerId, u64>,
    /// Records that were dropped, and those that were refused for good, since the start.
    dropped_in_all: u64,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Recorder> {
        Arc::new(Recorder { queue: Mutex::default(), arrived: Notify::new(), emptied: Notify::new() })
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a record, unless there is no room for it.
    pub(crate) fn push(&self, record: Record) {
        self.queue().push(record);
        self.arrived.notify_one();
    }

    /// How many records wait to be sent, and how many were dropped since the start.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let queue = self.queue();
        (queue.left() as u64, queue.dropped_in_all)
    }

    /// Sends records for as long as the executor lives.
    pub(crate) async fn run(self: Arc<Self>, control: Arc<dyn ControlPlane>) {
        loop {
            self.arrived.notified().await;
            tokio::time::sleep(BATCH_WAIT).await;
            loop {
                let batch = self.queue().take_batch();
                if batch.is_empty() {
                    break;
                }
                let refused = send(&*control, batch).await;
                let mut queue = self.queue();
                queue.in_flight = 0;
                queue.dropped_in_all += refused;
            }
            self.emptied.notify_waiters();
        }
    }

    /// Waits until everything has been sent, but not past `until`. Returns how many records were not.
    pub(crate) async fn drain(&self, until: Instant) -> usize {
        loop {
            let emptied = self.emptied.notified();
            let mut emptied = std::pin::pin!(emptied);
            emptied.as_mut().enable();
            let left = self.queue().left();
            if left == 0 {
                return 0;
            }
            self.arrived.notify_one();
            if tokio::time::timeout_at(until, emptied).await.is_err() {
                return self.queue().left();
            }
        }
    }
}

/// Sends a batch until it is taken. One that is refused for good is halved until what is at fault is
/// found; that alone is dropped, so that it keeps nothing else from arriving. Returns how many were.
async fn send(control: &dyn ControlPlane, batch: Vec<Record>) -> u64 {
    let mut pause = RETRY_FIRST;
    let mut parts = vec![batch];
    let mut dropped = 0;
    // The store takes every record once, so a batch whose answer was lost can be sent again.
    while let Some(mut part) = parts.pop() {
        match control.record(part.clone()).await {
            Ok(()) => pause = RETRY_FIRST,
            Err(ControlPlaneError::Refused(reason)) => {
                let second = part.split_off(part.len() / 2);
                if part.is_empty() {
                    dropped += 1;
                    let at_fault = second.first();
                    let invocation = at_fault.map(|record| record.invocation.to_string());
                    tracing::debug!(invocation, reason, "a record is refused for good and dropped");
                } else {
                    parts.extend([second, part]);
                }
            }
            Err(error) => {
                tracing::warn!(%error, records = part.len(), "records were not taken; they are sent again");
                parts.push(part);
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    }
    if dropped > 0 {
        tracing::error!(records = dropped, "the control plane refused records for good; they are dropped");
    }
    dropped
}

impl Queue {
    fn left(&self) -> usize {
        self.records.len() + self.in_flight
    }

    fn push(&mut self, mut record: Record) {
        let bytes = weight(&record);
        let full = self.records.len() >= RECORDS_MAX || self.bytes + bytes > BYTES_MAX;
        let half_full = self.records.len() >= RECORDS_MAX / 2 || self.bytes + bytes > BYTES_MAX / 2;
        let succeeded = record.receipt.as_ref().is_some_and(|receipt| receipt.outcome.is_ok());
        if full || (half_full && succeeded) {
            *self.dropped.entry(record.handler).or_insert(0) += 1;
            self.dropped_in_all += 1;
            return;
        }
        if let Some(dropped) = self.dropped.remove(&record.handler) {
            record.lines.push(dropped_line(&record, dropped));
        }
        self.bytes += bytes;
        self.records.push_back(record);
    }

    fn take_batch(&mut self) -> Vec<Record> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < BATCH_RECORDS_MAX && bytes < BATCH_BYTES_MAX {
            let Some(record) = self.records.pop_front() else { break };
            bytes += weight(&record);
            batch.push(record);
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        self.in_flight = batch.len();
        batch
    }
}

/// About what a record takes in memory and in the database.
fn weight(record: &Record) -> usize {
    let lines: usize = record.lines.iter().map(|line| LINE_BYTES + line.text.len()).sum();
    let receipt = record.receipt.as_ref().map_or(0, |receipt| {
        let urls: usize = receipt.urls.iter().map(String::len).sum();
        RECEIPT_BYTES + receipt.path.len() + urls
    });
    RECORD_BYTES + lines + receipt + record.recording.as_deref().map_or(0, recording::weight)
}

/// The line that says what is missing. Its place is beyond any that the invocation itself can use.
fn dropped_line(record: &Record, dropped: u64) -> LogLine {
    LogLine {
        invocation: record.invocation,
        seq: i32::MAX.cast_unsigned(),
        at: Timestamp::now(),
        level: Level::WARNING,
        source: Source::Platform,
        text: format!("{dropped} invocations before this one left no record: the executor's queue was full"),
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use bytes::Bytes;
    use uuid::Uuid;
    use wasmcloud_wire::{
        AccountUse, ChangeStream, Deployment, Digest, ExecutorReport, HostName, HostRoute, InvocationId,
        RouteKey,
    };

    use super::*;

    /// Refuses every batch with a record of these handlers, and fails the first time it is asked.
    #[derive(Default)]
    struct Picky {
        refused: Vec<HandlerId>,
        asked: Mutex<usize>,
        taken: Mutex<Vec<InvocationId>>,
    }

    #[async_trait]
    impl ControlPlane for Picky {
        async fn record(&self, batch: Vec<Record>) -> Result<(), ControlPlaneError> {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            if *asked == 1 {
                return Err(ControlPlaneError::Unavailable("it begins".to_owned()));
            }
            if batch.iter().any(|record| self.refused.contains(&record.handler)) {
                return Err(ControlPlaneError::Refused("it cannot be read".to_owned()));
            }
            self.taken.lock().unwrap().extend(batch.iter().map(|record| record.invocation));
            Ok(())
        }

        async fn resolve(&self, _: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
            Ok(None)
        }

        async fn routes(&self, _: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
            Ok(Vec::new())
        }

        async fn report(&self, _: ExecutorReport) -> Result<(), ControlPlaneError> {
            Ok(())
        }

        async fn usage(&self, _: Uuid, _: Vec<AccountUse>) -> Result<Vec<AccountUse>, ControlPlaneError> {
            Ok(Vec::new())
        }

        async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
            Ok(Box::pin(futures::stream::empty()))
        }

        async fn module(&self, _: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn a_record_that_is_refused_for_good_keeps_no_other_from_arriving() {
        for poisoned in [vec![], vec![0], vec![99], vec![3, 4, 77], (0..100).collect::<Vec<usize>>()] {
            let bad = HandlerId::new();
            let of = |place| if poisoned.contains(&place) { bad } else { HandlerId::new() };
            let batch: Vec<Record> = (0..100).map(|place| lines_of(of(place), 10)).collect();
            let good = batch.iter().filter(|record| record.handler != bad);
            let good: Vec<InvocationId> = good.map(|record| record.invocation).collect();
            let control = Picky { refused: vec![bad], ..Picky::default() };
            send(&control, batch).await;
            // Each once, and in order.
            assert_eq!(*control.taken.lock().unwrap(), good);
            assert!(*control.asked.lock().unwrap() <= 200);
        }
    }

    fn lines_of(handler: HandlerId, bytes: usize) -> Record {
        let invocation = InvocationId::new();
        let line = LogLine {
            invocation,
            seq: 0,
            at: Timestamp::now(),
            level: Level::INFO,
            source: Source::Log,
            text: "x".repeat(bytes),
        };
        Record { handler, invocation, lines: vec![line], receipt: None, recording: None }
    }

    #[test]
    fn a_full_queue_drops_and_says_so_in_the_handlers_next_record() {
        let (mut queue, handler) = (Queue::default(), HandlerId::new());
        for _ in 0..70 {
            queue.push(lines_of(handler, 1 << 20));
        }
        assert_eq!(queue.records.len(), 63);
        while !queue.take_batch().is_empty() {}
        assert_eq!((queue.bytes, queue.left()), (0, 0));
        queue.push(lines_of(HandlerId::new(), 1));
        queue.push(lines_of(handler, 1));
        let texts: Vec<usize> = queue.records.iter().map(|record| record.lines.len()).collect();
        assert_eq!(texts, [1, 2]);
        assert!(queue.records[1].lines[1].text.starts_with("7 invocations"));
    }

    #[test]
    fn a_batch_is_bounded_in_records_and_in_bytes() {
        let (mut queue, handler) = (Queue::default(), HandlerId::new());
        for _ in 0..BATCH_RECORDS_MAX + 1 {
            queue.push(lines_of(handler, 10));
        }
        assert_eq!((queue.take_batch().len(), queue.take_batch().len()), (BATCH_RECORDS_MAX, 1));
        for _ in 0..10 {
            queue.push(lines_of(handler, 1 << 18));
        }
        assert_eq!(queue.take_batch().len(), 4);
    }
}
