//! Changes that executors have to know of: one for each thing that changed, in their order.

use wasmcloud_api::store::Store;
use wasmcloud_wire::{Change, HandlerName, Timestamp};

use super::{FITS, NOW, People, added, created, module, new_handler};

/// The names of handlers that changed after a position, and the last position.
async fn after(store: &dyn Store, position: i64) -> (Vec<String>, i64) {
    let changes = store.changes_after(position, 1_000).await.unwrap();
    assert!(changes.is_sorted_by_key(|change| change.position));
    let last = changes.last().map_or(position, |change| change.position);
    assert_eq!(last, store.last_change().await.unwrap().max(position));
    let names = changes.into_iter().map(|change| match change.record {
        Change::Handler { name } => name.to_string(),
        other => panic!("{other:?}"),
    });
    let mut names: Vec<_> = names.collect();
    names.dedup();
    (names, last)
}

pub async fn are_kept_in_order(store: &dyn Store, people: &People) {
    let start = store.last_change().await.unwrap();
    created(store.create_handler(new_handler(people.bob.id, "three-of-coins"), NOW).await.unwrap());
    created(store.create_handler(new_handler(people.bob.id, "four-of-coins"), NOW).await.unwrap());
    let (names, end) = after(store, start).await;
    assert_eq!(names, ["three-of-coins", "four-of-coins"]);
    assert_eq!(after(store, end).await, (Vec::new(), end));

    let three: HandlerName = "three-of-coins".parse().unwrap();
    added(store.add_version(people.bob.id, &three, module("another"), None, None, &FITS).await.unwrap());
    let (names, end) = after(store, end).await;
    assert_eq!(names, ["three-of-coins"]);
    for name in ["three-of-coins", "four-of-coins"] {
        assert!(store.delete_handler(people.bob.id, &name.parse().unwrap(), NOW).await.unwrap());
    }
    let (names, end) = after(store, end).await;
    assert_eq!(names, ["three-of-coins", "four-of-coins"]);

    // At most as many as are asked for: the oldest.
    let first = store.changes_after(start, 1).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].record, Change::Handler { name: three });
    // What a follower may still read stays, however old.
    store.sweep_expired(Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(store.last_change().await.unwrap(), end);
    assert_eq!(store.changes_after(start, 1).await.unwrap()[0].position, first[0].position);
}
