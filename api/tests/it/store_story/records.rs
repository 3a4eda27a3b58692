//! Receipts and log lines. Three invocations of one handler, begun at 0, 1000 and 2000 ms, with
//! three lines each, 100 ms apart.

use std::collections::BTreeMap;

use wasmcloud_api::store::{LogQuery, Positions, Store};
use wasmcloud_wire::{
    Abi, Digest, HandlerId, InvocationId, Level, LogLine, Outcome, Receipt, Record, Source, Timestamp,
    Trigger, VersionNumber,
};

use super::later;

const ALL: LogQuery = LogQuery { since: None, invocation: None, after: None, limit: 100 };

pub fn line(invocation: InvocationId, seq: u32, at: Timestamp, text: &str) -> LogLine {
    LogLine { invocation, seq, at, level: Level::INFO, source: Source::Log, text: text.to_owned() }
}

pub fn receipt(handler: HandlerId, invocation: InvocationId, started_at: Timestamp) -> Receipt {
    Receipt {
        invocation,
        handler: Some(handler),
        version: VersionNumber(2),
        digest: Digest::of(b"second"),
        abi: Abi::Olin,
        executor: "executor-1".to_owned(),
        trigger: Trigger::Edge,
        method: "GET".to_owned(),
        path: "/käse".to_owned(),
        started_at,
        wall_us: 1234,
        cpu_us: 0,
        gas: u64::MAX,
        memory_peak_bytes: 65_536,
        host_calls: BTreeMap::from([("log_write".to_owned(), 3)]),
        urls: vec!["null://".to_owned()],
        outbound: Default::default(),
        bytes_in: 0,
        bytes_out: 17,
        log_lines: 3,
        log_lines_dropped: 0,
        status: Some(200),
        outcome: Outcome::Trap { message: "unreachable in main\n\u{0} \"quoted\"".to_owned() },
    }
}

/// The story's invocation number `number`.
fn whole(handler: HandlerId, invocation: InvocationId, number: u32) -> Record {
    let started = i64::from(number) * 1000;
    let lines = (0..3).map(|seq| {
        line(invocation, seq, later(started + i64::from(seq) * 100), &format!("line {number}.{seq}"))
    });
    Record {
        handler,
        invocation,
        lines: lines.collect(),
        receipt: Some(receipt(handler, invocation, later(started))),
        recording: None,
    }
}

async fn texts(store: &dyn Store, handler: HandlerId, query: &LogQuery) -> Vec<String> {
    let lines = store.log_lines(handler, query).await.unwrap();
    assert!(lines.is_sorted_by(|one, next| one.position < next.position));
    lines.into_iter().map(|line| line.record.text.trim_start_matches("line ").to_owned()).collect()
}

/// The second at which each receipt's invocation began.
async fn started(store: &dyn Store, handler: HandlerId, query: &LogQuery) -> Vec<i64> {
    let receipts = store.receipts(handler, query).await.unwrap();
    receipts.into_iter().map(|receipt| (receipt.record.started_at.0 - later(0).0) / 1000).collect()
}

pub async fn are_kept_once(store: &dyn Store, handler: HandlerId) {
    assert_eq!(store.last_positions().await.unwrap(), Positions { line: 0, receipt: 0 });
    store.record(&[]).await.unwrap();

    let invocation = InvocationId::new();
    let record = whole(handler, invocation, 0);
    let first_part = Record { lines: record.lines[..2].to_vec(), receipt: None, ..record.clone() };
    store.record(std::slice::from_ref(&first_part)).await.unwrap();
    assert!(store.receipts(handler, &ALL).await.unwrap().is_empty(), "it still runs");

    // The rest comes with what is known already, twice in one batch, and once more.
    store.record(&[record.clone(), first_part, record.clone()]).await.unwrap();
    store.record(std::slice::from_ref(&record)).await.unwrap();
    let lines = store.log_lines(handler, &ALL).await.unwrap();
    assert_eq!(lines.into_iter().map(|line| line.record).collect::<Vec<_>>(), record.lines);
    let receipts = store.receipts(handler, &ALL).await.unwrap();
    assert_eq!(receipts.into_iter().map(|kept| kept.record).collect::<Vec<_>>(), [record.receipt.unwrap()]);

    // The other two come in one batch.
    let (second, third) = (InvocationId::new(), InvocationId::new());
    store.record(&[whole(handler, second, 1), whole(handler, third, 2)]).await.unwrap();
}

pub async fn are_found(store: &dyn Store, handler: HandlerId) {
    let all = ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "2.0", "2.1", "2.2"];
    assert_eq!(texts(store, handler, &ALL).await, all);
    assert_eq!(texts(store, handler, &LogQuery { limit: 2, ..ALL }).await, ["2.1", "2.2"], "the newest");
    assert_eq!(texts(store, handler, &LogQuery { since: Some(later(1200)), ..ALL }).await, all[5..]);
    assert_eq!(started(store, handler, &ALL).await, [2, 1, 0], "newest first");
    assert_eq!(started(store, handler, &LogQuery { limit: 1, ..ALL }).await, [2]);
    assert_eq!(started(store, handler, &LogQuery { since: Some(later(1000)), ..ALL }).await, [2, 1]);

    let lines = store.log_lines(handler, &ALL).await.unwrap();
    let invocation = Some(lines[4].record.invocation);
    assert_eq!(texts(store, handler, &LogQuery { invocation, ..ALL }).await, ["1.0", "1.1", "1.2"]);
    assert_eq!(texts(store, handler, &LogQuery { invocation, limit: 1, ..ALL }).await, ["1.2"]);
    assert_eq!(started(store, handler, &LogQuery { invocation, ..ALL }).await, [1]);
    let nobodys = Some(InvocationId::new());
    assert!(texts(store, handler, &LogQuery { invocation: nobodys, ..ALL }).await.is_empty());
    assert!(started(store, handler, &LogQuery { invocation: nobodys, ..ALL }).await.is_empty());

    // A follower goes on from a position, oldest first, in steps of its limit.
    let after = Some(lines[1].position);
    assert_eq!(texts(store, handler, &LogQuery { after, limit: 3, ..ALL }).await, ["0.2", "1.0", "1.1"]);
    assert_eq!(texts(store, handler, &LogQuery { after, invocation, ..ALL }).await, ["1.0", "1.1", "1.2"]);
    let receipts = store.receipts(handler, &ALL).await.unwrap();
    let after = Some(receipts[2].position);
    assert_eq!(started(store, handler, &LogQuery { after, ..ALL }).await, [1, 2], "oldest first");
    assert_eq!(started(store, handler, &LogQuery { after, limit: 1, ..ALL }).await, [1]);

    let last = store.last_positions().await.unwrap();
    assert_eq!(last, Positions { line: lines[8].position, receipt: receipts[0].position });
    let (line, receipt) = (Some(last.line), Some(last.receipt));
    assert!(texts(store, handler, &LogQuery { after: line, ..ALL }).await.is_empty());
    assert!(started(store, handler, &LogQuery { after: receipt, ..ALL }).await.is_empty());
}

pub async fn of_no_handler_are_passed_over(store: &dyn Store, handler: HandlerId) {
    let (nobodys, invocation) = (HandlerId::new(), InvocationId::new());
    let mut known = whole(handler, InvocationId::new(), 3);
    known.lines.truncate(1);
    store.record(&[whole(nobodys, invocation, 3), known]).await.unwrap();
    assert!(texts(store, nobodys, &ALL).await.is_empty());
    assert_eq!(texts(store, handler, &LogQuery { since: Some(later(3000)), ..ALL }).await, ["3.0"]);
    assert_eq!(started(store, handler, &LogQuery { since: Some(later(3000)), ..ALL }).await, [3]);

    // Nobody's invocation is another's neither.
    let query = LogQuery { invocation: Some(invocation), ..ALL };
    assert!(texts(store, handler, &query).await.is_empty());
}

/// Ten lines and four receipts are there by now.
pub async fn are_pruned(store: &dyn Store, handler: HandlerId) {
    let last = store.last_positions().await.unwrap();
    assert_eq!(store.prune(later(0), 100).await.unwrap(), 0);
    assert_eq!(store.prune(later(0), 10).await.unwrap(), 0, "ten lines are not too many");

    assert_eq!(store.prune(later(100), 100).await.unwrap(), 2, "line 0.0 and its receipt are old");
    assert_eq!(texts(store, handler, &LogQuery { limit: 100, ..ALL }).await[0], "0.1");
    assert_eq!(started(store, handler, &ALL).await, [3, 2, 1]);

    assert_eq!(store.prune(later(0), 2).await.unwrap(), 7 + 1, "the newest two of each stay");
    assert_eq!(texts(store, handler, &ALL).await, ["2.2", "3.0"]);
    assert_eq!(started(store, handler, &ALL).await, [3, 2]);

    assert_eq!(store.prune(Timestamp(i64::MAX), 100).await.unwrap(), 4);
    store.record(&[whole(handler, InvocationId::new(), 4)]).await.unwrap();
    let lines = store.log_lines(handler, &ALL).await.unwrap();
    assert!(lines[0].position > last.line, "a position is never given twice");
}
