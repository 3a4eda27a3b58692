//! How a handler comes to serve its versions. Ada has `wheel-of-cups` for it, with three versions.

use wasmcloud_api::store::{
    AddPreview, HandlerRow, Move, MoveResult, Newness, NoRoom, SettingRow, Store, TakeBack, Tally, Unfit,
    WatchedVersion,
};
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{
    HandlerId, HandlerName, Inspection, InvocationId, LimitName, Outcome, Policy, Record, Source, Split,
    Timestamp, Trigger, VersionNumber,
};

use super::records::receipt;
use super::{FITS, NOW, People, added, created, later, module, new_handler};

const V1: VersionNumber = VersionNumber(1);
const V2: VersionNumber = VersionNumber(2);
const V3: VersionNumber = VersionNumber(3);

fn wheel() -> HandlerName {
    "wheel-of-cups".parse().unwrap()
}

fn split(version: VersionNumber, percent: u8) -> Split {
    Split { version, percent }
}

async fn step(store: &dyn Store, people: &People, step: Move, now: Timestamp) -> MoveResult {
    store.move_version(people.ada.id, &wheel(), step, now, &FITS).await.unwrap()
}

#[track_caller]
fn moved(result: MoveResult) -> (HandlerRow, Option<Split>) {
    match result {
        MoveResult::Moved { row, ended } => (*row, ended),
        other => panic!("not moved: {other:?}"),
    }
}

/// Live, before, since when.
fn pointers(row: &HandlerRow) -> (u32, Option<u32>, Option<Timestamp>) {
    (row.live.0, row.previous.map(|version| version.0), row.promoted_at)
}

pub async fn are_promoted_and_rolled_back(store: &dyn Store, people: &People) -> HandlerId {
    let ada = people.ada.id;
    let new = created(store.create_handler(new_handler(ada, "wheel-of-cups"), NOW).await.unwrap());
    assert_eq!((pointers(&new), new.auto_rollback), ((1, None, Some(NOW)), true));
    let nothing = step(store, people, Move::Rollback, later(1)).await;
    assert!(matches!(nothing, MoveResult::NoPrevious(V1)), "{nothing:?}");
    let second = added(store.add_version(ada, &wheel(), module("second"), None, None, &FITS).await.unwrap());
    assert_eq!((second.live, second.previous), (V2, Some(V1)));

    // A preview gets the next number, and is not live.
    let preview = store.add_preview(ada, &wheel(), module("third"), &FITS).await.unwrap();
    let AddPreview::Added(row, V3) = preview else { panic!("{preview:?}") };
    assert_eq!((row.live, row.previous, row.promoted_at), (V2, Some(V1), second.promoted_at));
    let refuse = |_: &Policy, _: &[SettingRow], _: &Inspection| {
        Err(Unfit::NoRoom(NoRoom { begins_with_bytes: 2, limit_bytes: 1 }))
    };
    let refused = store.add_preview(ada, &wheel(), module("fourth"), &refuse).await.unwrap();
    assert!(matches!(refused, AddPreview::Refused(_)), "{refused:?}");
    let not_hers = store.add_preview(people.bob.id, &wheel(), module("evil"), &FITS).await.unwrap();
    assert!(matches!(not_hers, AddPreview::HandlerNotFound), "{not_hers:?}");

    let (row, _) = moved(step(store, people, Move::Promote(V3), later(10)).await);
    assert_eq!(pointers(&row), (3, Some(2), Some(later(10))));
    // What is live already is no move.
    let (row, _) = moved(step(store, people, Move::Promote(V3), later(20)).await);
    assert_eq!(pointers(&row), (3, Some(2), Some(later(10))));
    // There and back.
    let (row, _) = moved(step(store, people, Move::Rollback, later(30)).await);
    assert_eq!(pointers(&row), (2, Some(3), Some(later(30))));
    let (row, _) = moved(step(store, people, Move::Rollback, later(40)).await);
    assert_eq!(pointers(&row), (3, Some(2), Some(later(40))));
    let refused = store.move_version(ada, &wheel(), Move::Rollback, later(50), &refuse).await.unwrap();
    assert!(matches!(refused, MoveResult::Refused(V2, _)), "{refused:?}");
    let not_his =
        store.move_version(people.bob.id, &wheel(), Move::Rollback, later(50), &FITS).await.unwrap();
    assert!(matches!(not_his, MoveResult::HandlerNotFound), "{not_his:?}");
    let row = store.handler(ada, &wheel()).await.unwrap().unwrap();
    assert_eq!(pointers(&row), (3, Some(2), Some(later(40))));
    let versions = store.versions(ada, &wheel()).await.unwrap().unwrap();
    let seen: Vec<_> = versions.iter().map(|row| (row.number, row.live, row.previous)).collect();
    assert_eq!(seen, [(V3, true, false), (V2, false, true), (V1, false, false)]);
    row.id
}

pub async fn are_split(store: &dyn Store, people: &People) {
    let (row, _) = moved(step(store, people, Move::Promote(V1), later(60)).await);
    assert_eq!(pointers(&row), (1, Some(3), Some(later(60))));
    let live = step(store, people, Move::Split(split(V1, 10)), later(61)).await;
    assert!(matches!(live, MoveResult::IsLive(V1)), "{live:?}");
    let missing = step(store, people, Move::Split(split(VersionNumber(9), 10)), later(61)).await;
    assert!(matches!(missing, MoveResult::VersionNotFound(VersionNumber(9))), "{missing:?}");

    let (row, ended) = moved(step(store, people, Move::Split(split(V3, 10)), later(70)).await);
    assert_eq!((row.split, row.split_at, ended), (Some(split(V3, 10)), Some(later(70)), None));
    assert_eq!(pointers(&row), (1, Some(3), Some(later(60))));
    let (row, _) = moved(step(store, people, Move::Split(split(V3, 50)), later(80)).await);
    assert_eq!((row.split, row.split_at), (Some(split(V3, 50)), Some(later(70))), "it only grew");
    let (row, ended) = moved(step(store, people, Move::Split(split(V2, 5)), later(90)).await);
    assert_eq!((row.split, row.split_at), (Some(split(V2, 5)), Some(later(90))));
    assert_eq!(ended, Some(split(V3, 50)));

    let at = |address: &str| address.parse().unwrap();
    let live = store.deployment(&at("wheel-of-cups")).await.unwrap().unwrap();
    assert_eq!((live.version, live.split), (V1, Some(split(V2, 5))));
    let pinned = store.deployment(&at("v2--wheel-of-cups")).await.unwrap().unwrap();
    assert_eq!((pinned.version, pinned.split), (V2, None));
    let versions = store.versions(people.ada.id, &wheel()).await.unwrap().unwrap();
    assert_eq!(versions.iter().map(|row| row.split_percent).collect::<Vec<_>>(), [None, Some(5), None]);

    // Of another version, nothing ends; a rollback ends the split and no more.
    let (row, ended) = moved(step(store, people, Move::EndSplit(V3), later(91)).await);
    assert_eq!((row.split, ended), (Some(split(V2, 5)), None));
    let (row, ended) = moved(step(store, people, Move::Rollback, later(92)).await);
    assert_eq!((row.split, row.split_at, ended), (None, None, Some(split(V2, 5))));
    assert_eq!(pointers(&row), (1, Some(3), Some(later(60))));
    for (end, left) in [(Move::EndSplit(V2), V1), (Move::Promote(V1), V1), (Move::Promote(V2), V2)] {
        moved(step(store, people, Move::Split(split(V2, 99)), later(93)).await);
        let (row, ended) = moved(step(store, people, end, later(94)).await);
        assert_eq!((row.live, row.split, ended), (left, None, Some(split(V2, 99))), "{end:?}");
    }
}

/// Records of so many requests to a version, of which so many fail.
fn requests(handler: HandlerId, version: VersionNumber, at: Timestamp, ok: u32, failed: u32) -> Vec<Record> {
    let record = |number| {
        let invocation = InvocationId::new();
        let outcome =
            if number < ok { Outcome::Ok } else { Outcome::Trap { message: "unreachable".to_owned() } };
        let receipt = wasmcloud_wire::Receipt { version, outcome, ..receipt(handler, invocation, at) };
        Record { handler, invocation, lines: Vec::new(), receipt: Some(receipt), recording: None }
    };
    (0..ok + failed).map(record).collect()
}

pub async fn are_counted(store: &dyn Store, handler: HandlerId) {
    let old = VersionNumber(7);
    store.record(&requests(handler, old, later(100), 4, 2)).await.unwrap();
    store.record(&requests(handler, old, later(200), 1, 1)).await.unwrap();
    let tally = |since, most| store.tally(handler, old, since, most);
    assert_eq!(tally(later(0), 100).await.unwrap(), Tally { requests: 8, failed: 3 });
    assert_eq!(tally(later(101), 100).await.unwrap(), Tally { requests: 2, failed: 1 });
    assert_eq!(tally(later(0), 2).await.unwrap(), Tally { requests: 2, failed: 1 }, "the newest");
    assert_eq!(store.tally(handler, V1, later(0), 100).await.unwrap(), Tally::default());

    // What says nothing about the program does not count.
    let limit = |limit| Outcome::Limit { limit, message: String::new() };
    let cases = [
        (Trigger::Edge, Some(500), Outcome::Ok, Tally { requests: 1, failed: 1 }),
        (Trigger::Edge, Some(404), Outcome::Ok, Tally { requests: 1, failed: 0 }),
        (Trigger::Edge, Some(502), Outcome::Exit { status: 1 }, Tally { requests: 1, failed: 1 }),
        (Trigger::Edge, Some(200), limit(LimitName::Wall), Tally { requests: 1, failed: 1 }),
        (Trigger::Edge, Some(413), limit(LimitName::Request), Tally::default()),
        (Trigger::Edge, None, Outcome::Cancelled, Tally::default()),
        (Trigger::Edge, Some(403), Outcome::Suspended, Tally::default()),
        (Trigger::Edge, Some(500), Outcome::Internal { message: String::new() }, Tally::default()),
        (Trigger::Chosen, Some(500), Outcome::Ok, Tally::default()),
        (Trigger::Invoke, Some(500), Outcome::Ok, Tally::default()),
        (Trigger::Replay, Some(500), Outcome::Ok, Tally::default()),
    ];
    for (number, (trigger, status, outcome, tally)) in (10..).zip(cases) {
        let mut records = requests(handler, VersionNumber(number), later(300), 1, 0);
        let receipt = records[0].receipt.as_mut().unwrap();
        (receipt.trigger, receipt.status, receipt.outcome) = (trigger, status, outcome.clone());
        store.record(&records).await.unwrap();
        let counted = store.tally(handler, VersionNumber(number), later(0), 10).await.unwrap();
        assert_eq!(counted, tally, "{trigger:?}, {status:?}, {outcome:?}");
    }
}

/// What is watched of this chapter's handler.
async fn watched(store: &dyn Store, promoted_since: Timestamp) -> Vec<WatchedVersion> {
    let mut watched = store.watched(promoted_since).await.unwrap();
    watched.retain(|version| version.name == wheel());
    watched
}

pub async fn are_watched_and_taken_back(store: &dyn Store, people: &People) {
    let ada = people.ada.id;
    moved(step(store, people, Move::Promote(V1), later(1_000)).await);
    let since = later(1_000);
    assert_eq!(watched(store, since).await, [], "going back is not watched");
    let (row, _) = moved(step(store, people, Move::Promote(V3), later(1_100)).await);
    let seen = WatchedVersion {
        handler: row.id,
        name: wheel(),
        owner: ada,
        newness: Newness::Promoted,
        new: V3,
        old: V1,
        since: later(1_100),
    };
    assert_eq!(watched(store, since).await, std::slice::from_ref(&seen));
    assert_eq!(watched(store, later(1_101)).await, []);
    assert!(!store.set_auto_rollback(ada, &wheel(), false).await.unwrap().unwrap().auto_rollback);
    assert!(store.set_auto_rollback(people.bob.id, &wheel(), false).await.unwrap().is_none());
    assert_eq!(watched(store, since).await, []);
    let why = |from, to| RolledBack { from, to, at: later(1_200), reason: "it fails".to_owned() };
    let off = store.take_back(&seen, &why(V3, V1), "off", &FITS).await.unwrap();
    assert!(matches!(off, TakeBack::Overtaken), "{off:?}");
    store.set_auto_rollback(ada, &wheel(), true).await.unwrap();

    // Of many at once, one acts, and one line is logged.
    let line = "version 3 is taken back";
    let times = futures::future::join_all((0..4).map(|_| async {
        matches!(store.take_back(&seen, &why(V3, V1), line, &FITS).await.unwrap(), TakeBack::Done(_))
    }));
    assert_eq!(times.await.into_iter().filter(|done| *done).count(), 1);
    let row = store.handler(ada, &wheel()).await.unwrap().unwrap();
    assert_eq!(pointers(&row), (1, Some(3), Some(later(1_200))));
    assert_eq!(row.rolled_back, Some(why(V3, V1)));
    let query =
        wasmcloud_api::store::LogQuery { since: Some(since), invocation: None, after: None, limit: 100 };
    let lines = store.log_lines(row.id, &query).await.unwrap();
    let lines: Vec<_> = lines.iter().map(|line| (line.record.source, line.record.text.as_str())).collect();
    assert_eq!(lines, [(Source::Platform, line)]);
    assert_eq!(watched(store, since).await, [], "no ping-pong");

    // The owner goes on: it is forgotten, and watched again.
    let (row, _) = moved(step(store, people, Move::Rollback, later(1_300)).await);
    assert_eq!((row.live, row.rolled_back), (V3, None));
    assert_eq!(watched(store, since).await.len(), 1);

    // A split is watched for as long as it is there.
    moved(step(store, people, Move::Promote(V1), later(1_400)).await);
    moved(step(store, people, Move::Split(split(V2, 10)), later(1_500)).await);
    let seen = WatchedVersion { newness: Newness::Split, new: V2, old: V1, since: later(1_500), ..seen };
    assert_eq!(watched(store, later(1_000_000)).await, std::slice::from_ref(&seen));
    moved(step(store, people, Move::Split(split(V2, 20)), later(1_600)).await);
    let done = store.take_back(&seen, &why(V2, V1), "the split ends", &FITS).await.unwrap();
    let TakeBack::Done(row) = done else { panic!("{done:?}") };
    assert_eq!((row.split, row.live, row.promoted_at), (None, V1, Some(later(1_400))));
    assert_eq!(row.rolled_back, Some(why(V2, V1)));
    assert!(store.delete_handler(ada, &wheel(), later(1_700)).await.unwrap());
}
