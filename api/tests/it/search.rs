//! Looking for log lines and receipts.

use std::sync::Arc;

use wasmcloud_api::store::{CreateHandler, LineFilter, LineSearch, ReceiptSearch, Store};
use wasmcloud_wire::{HandlerId, InvocationId, Level, LogLine, Outcome, Record, Source, Timestamp, Trigger};

use crate::database::{Database, on_both_databases};
use crate::store_story;

on_both_databases!(
    lines_are_found_by_level_and_text,
    a_search_says_how_far_it_has_looked,
    receipts_are_listed_in_pages,
);

const ALL: LineSearch = LineSearch {
    since: None,
    until: None,
    invocation: None,
    filter: LineFilter { level: None, text: None },
    limit: 100,
};

async fn store_with_handler(database: &Database) -> (Arc<dyn Store>, HandlerId) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(store_story::new_user("ada")).await.unwrap();
    let new = store_story::new_handler(ada.id, "hello");
    let CreateHandler::Created(row) = store.create_handler(new, Timestamp::now()).await.unwrap() else {
        panic!("not created")
    };
    (store, row.id)
}

fn wanting(level: Option<Level>, text: Option<&str>) -> LineFilter {
    LineFilter { level, text: text.map(ToOwned::to_owned) }
}

fn lines(handler: HandlerId, lines: Vec<(i64, Level, &str)>) -> Record {
    let invocation = InvocationId::new();
    let line = |(seq, (at, level, text)): (usize, (i64, Level, &str))| LogLine {
        invocation,
        seq: seq as u32,
        at: Timestamp(at),
        level,
        source: Source::Log,
        text: text.to_owned(),
    };
    let lines = lines.into_iter().enumerate().map(line).collect();
    Record { handler, invocation, lines, receipt: None, recording: None }
}

async fn texts(store: &dyn Store, handler: HandlerId, search: LineSearch) -> Vec<String> {
    let found = store.search_lines(handler, &search).await.unwrap();
    assert!(found.more_before.is_none());
    found.lines.into_iter().map(|line| line.record.text).collect()
}

async fn lines_are_found_by_level_and_text(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let store = store.as_ref();
    let said = vec![
        (10, Level::INFO, "Disk is 50% full"),
        (20, Level::WARNING, "disk_is 90% FULL"),
        (30, Level::ERROR, "Größe: C:\\full"),
        (40, Level::DEBUG, "nothing of note"),
        (50, Level(2), "an alert"),
    ];
    let record = lines(handler, said.clone());
    let mine = record.invocation;
    store
        .record(&[record, lines(HandlerId::new(), vec![(10, Level::ERROR, "full: nobody's")])])
        .await
        .unwrap();
    store.record(&[lines(handler, vec![(60, Level::INFO, "another's")])]).await.unwrap();

    let everything = [
        "Disk is 50% full",
        "disk_is 90% FULL",
        "Größe: C:\\full",
        "nothing of note",
        "an alert",
        "another's",
    ];
    assert_eq!(texts(store, handler, ALL).await, everything);
    for (level, text, expected) in [
        (Some(Level::ERROR), None, vec![2]),
        (Some(Level::WARNING), None, vec![1, 2, 4]),
        (Some(Level::INFO), None, vec![0, 1, 2, 4, 5]),
        (None, Some("full"), vec![0, 1, 2]),
        (None, Some("FULL"), vec![0, 1, 2]),
        (None, Some("disk_"), vec![1]),
        (None, Some("0%"), vec![0, 1]),
        (None, Some("%full"), vec![]),
        (None, Some("c:\\F"), vec![2]),
        (None, Some("größe"), vec![2]),
        (None, Some("GRößE"), vec![2]),
        // Letters beyond ASCII are what they are, in the store as for those who follow.
        (None, Some("GRÖSSE"), vec![]),
        (None, Some("grÖße"), vec![]),
        (Some(Level::WARNING), Some("disk"), vec![1]),
    ] {
        let filter = wanting(level, text);
        let found = texts(store, handler, LineSearch { filter: filter.clone(), ..ALL }).await;
        let expected: Vec<&str> = expected.into_iter().map(|place| everything[place]).collect();
        assert_eq!(found, expected, "{filter:?}");
        let followed = said
            .iter()
            .filter(|(at, level, text)| filter.wants(&lines(handler, vec![(*at, *level, *text)]).lines[0]));
        let followed: Vec<&str> = followed.map(|(_, _, text)| *text).collect();
        assert_eq!(followed, expected.into_iter().filter(|text| *text != "another's").collect::<Vec<_>>());
    }

    let filter = wanting(None, Some("full"));
    let newest = LineSearch { filter: filter.clone(), limit: 1, ..ALL };
    assert_eq!(texts(store, handler, newest).await, everything[2..3], "the newest");
    let between =
        LineSearch { since: Some(Timestamp(20)), until: Some(Timestamp(30)), filter: filter.clone(), ..ALL };
    assert_eq!(texts(store, handler, between).await, everything[1..2]);
    let of_one = LineSearch { invocation: Some(mine), filter, limit: 2, ..ALL };
    assert_eq!(texts(store, handler, of_one).await, everything[1..3]);
    let of_another = LineSearch { invocation: Some(mine), ..ALL };
    assert!(texts(store, HandlerId::new(), of_another).await.is_empty());
}

async fn a_search_says_how_far_it_has_looked(database: Database) {
    // As many lines as one search looks at, and a few more, older ones.
    let (store, handler) = store_with_handler(&database).await;
    store
        .record(&[lines(handler, vec![(1, Level::ERROR, "the needle"), (2, Level::ERROR, "hay")])])
        .await
        .unwrap();
    for part in 0..10 {
        let hay = (0..5_000).map(|line| (10 + part * 5_000 + line, Level::INFO, "hay")).collect();
        store.record(&[lines(handler, hay)]).await.unwrap();
    }
    let search = LineSearch { filter: wanting(None, Some("needle")), ..ALL };
    let found = store.search_lines(handler, &search).await.unwrap();
    assert!(found.lines.is_empty());
    assert_eq!(found.more_before, Some(Timestamp(3)), "both old lines were not looked at");
    let found = store
        .search_lines(handler, &LineSearch { until: found.more_before, ..search.clone() })
        .await
        .unwrap();
    assert_eq!((found.lines.len(), found.more_before), (1, None));
    let hay = LineSearch { filter: wanting(None, Some("hay")), ..search };
    let found = store.search_lines(handler, &hay).await.unwrap();
    assert_eq!((found.lines.len(), found.more_before), (100, None), "enough was found");
}

async fn receipts_are_listed_in_pages(database: Database) {
    let (store, handler) = store_with_handler(&database).await;
    let mut ids = Vec::new();
    let mut batch = Vec::new();
    for number in 0..7_i64 {
        let invocation = InvocationId::new();
        // Two begin in the same millisecond each.
        let mut receipt = store_story::records::receipt(handler, invocation, store_story::later(number / 2));
        receipt.outcome = if number % 3 == 0 { receipt.outcome } else { Outcome::Ok };
        // Whatever asked for it.
        receipt.trigger = if number == 3 { Trigger::Invoke } else { receipt.trigger };
        batch.push(Record {
            handler,
            invocation,
            lines: Vec::new(),
            receipt: Some(receipt),
            recording: None,
        });
        ids.push(invocation);
    }
    store.record(&batch).await.unwrap();
    let pages = async |failed: bool, limit: u32| {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let search = ReceiptSearch { since: None, before, failed, limit };
            let page = store.search_receipts(handler, &search).await.unwrap().unwrap();
            let Some(last) = page.last() else { return seen };
            before = Some(last.record.invocation);
            seen.extend(page.iter().map(|receipt| receipt.record.invocation));
        }
    };
    ids.reverse();
    assert_eq!(pages(false, 2).await, ids, "newest first, none twice");
    assert_eq!(pages(false, 100).await, ids);
    let failures: Vec<InvocationId> = [0, 3, 6].map(|place| ids[place]).to_vec();
    assert_eq!(pages(true, 1).await, failures);

    let search =
        ReceiptSearch { since: Some(store_story::later(2)), before: None, failed: false, limit: 100 };
    assert_eq!(store.search_receipts(handler, &search).await.unwrap().unwrap().len(), 3);
    let nobodys = ReceiptSearch { before: Some(InvocationId::new()), ..search.clone() };
    assert!(store.search_receipts(handler, &nobodys).await.unwrap().is_none());
    let others = ReceiptSearch { before: Some(ids[0]), ..search };
    assert!(store.search_receipts(HandlerId::new(), &others).await.unwrap().is_none());
}
