//! Handlers, versions, addresses. Ada has `one-of-cups`, Bob has `two-of-cups`.

use wasmcloud_api::store::{
    AddVersion, CreateHandler, Fits, HandlerRow, Move, MoveResult, NoRoom, SettingRow, Store, StoreError,
    Unfit,
};
use wasmcloud_wire::limits::DELETED_NAME_HELD_DAYS;
use wasmcloud_wire::{Abi, Digest, HandlerName, Inspection, Policy, UserId, VersionNumber};

use super::{FITS, NOW, People, added, created, later, module, new_handler};

fn name(text: &str) -> HandlerName {
    text.parse().unwrap()
}

async fn promote(
    store: &dyn Store,
    owner: UserId,
    number: u32,
    fits: &Fits<'_>,
) -> Result<MoveResult, StoreError> {
    let step = Move::Promote(VersionNumber(number));
    store.move_version(owner, &name("one-of-cups"), step, NOW, fits).await
}

fn promoted(result: MoveResult) -> HandlerRow {
    match result {
        MoveResult::Moved { row, .. } => *row,
        other => panic!("not promoted: {other:?}"),
    }
}

pub async fn are_created(store: &dyn Store, people: &People) -> HandlerRow {
    let new = new_handler(people.ada.id, "one-of-cups");
    let row = created(store.create_handler(new.clone(), NOW).await.unwrap());
    assert_eq!((row.id, row.owner, row.name.as_str()), (new.id, people.ada.id, "one-of-cups"));
    assert_eq!((row.live, row.abi, row.digest), (VersionNumber(1), Abi::Olin, Digest::of(b"first")));
    assert_eq!((row.created_at, row.updated_at, row.forward_authorization), (NOW, NOW, false));

    for owner in [people.ada.id, people.bob.id] {
        let again = store.create_handler(new_handler(owner, "one-of-cups"), NOW).await.unwrap();
        assert!(matches!(again, CreateHandler::NameTaken), "{again:?}");
    }
    created(store.create_handler(new_handler(people.bob.id, "two-of-cups"), NOW).await.unwrap());
    created(store.create_handler(new_handler(people.ada.id, "ace-of-cups"), NOW).await.unwrap());

    let names = |rows: Vec<HandlerRow>| rows.into_iter().map(|row| row.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(store.handlers(people.ada.id).await.unwrap()), ["ace-of-cups", "one-of-cups"]);
    assert_eq!(names(store.handlers(people.bob.id).await.unwrap()), ["two-of-cups"]);
    row
}

pub async fn get_versions(store: &dyn Store, people: &People) {
    let (ada, cups) = (people.ada.id, name("one-of-cups"));
    let second = added(store.add_version(ada, &cups, module("second"), None, None, &FITS).await.unwrap());
    assert_eq!((second.live, second.digest), (VersionNumber(2), Digest::of(b"second")));
    assert!(second.updated_at > second.created_at, "the trigger keeps updated_at");

    // Back, and forth again by a third upload, whose number is new although 1 was live.
    let back = promoted(promote(store, ada, 1, &FITS).await.unwrap());
    assert_eq!((back.live, back.digest), (VersionNumber(1), Digest::of(b"first")));
    let third = added(store.add_version(ada, &cups, module("second"), None, None, &FITS).await.unwrap());
    assert_eq!(third.live, VersionNumber(3));
    promoted(promote(store, ada, 2, &FITS).await.unwrap());
    for number in [0, 4, u32::MAX] {
        let result = promote(store, ada, number, &FITS).await.unwrap();
        assert!(matches!(result, MoveResult::VersionNotFound(_)), "{number}: {result:?}");
    }

    // What does not fit stays as it is; the policy and the module that are asked about are those of the moment.
    let no_room = || Unfit::NoRoom(NoRoom { begins_with_bytes: 2, limit_bytes: 1 });
    let refuse = |policy: &Policy, settings: &[SettingRow], inspection: &Inspection| {
        assert_eq!((policy.gas, settings.len(), inspection.size_bytes), (Some(5), 1, 5));
        Err(no_room())
    };
    let refused = store.add_version(ada, &cups, module("third"), None, None, &refuse).await.unwrap();
    assert!(matches!(refused, AddVersion::Refused(ref why) if *why == no_room()), "{refused:?}");
    let refused = promote(store, ada, 1, &refuse).await.unwrap();
    assert!(matches!(refused, MoveResult::Refused(_, ref why) if *why == no_room()), "{refused:?}");
    assert_eq!(store.handler(ada, &cups).await.unwrap().unwrap().live, VersionNumber(2));

    let versions = store.versions(ada, &cups).await.unwrap().unwrap();
    let seen: Vec<_> =
        versions.iter().map(|row| (row.number.0, row.live, row.size_bytes, row.digest)).collect();
    let (first, second) = (Digest::of(b"first"), Digest::of(b"second"));
    assert_eq!(seen, [(3, false, 6, second), (2, true, 6, second), (1, false, 5, first)]);

    let row = store.set_forward_authorization(ada, &cups, true).await.unwrap().unwrap();
    assert!(row.forward_authorization);
    assert!(store.module_in_use(&second).await.unwrap());
    assert!(!store.module_in_use(&Digest::of(b"third")).await.unwrap());
}

pub async fn answer_at_addresses(store: &dyn Store, people: &People) {
    let live = store.deployment(&"one-of-cups".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((live.owner, live.name.as_str()), (people.ada.id, "one-of-cups"));
    assert_eq!((live.version, live.digest), (VersionNumber(2), Digest::of(b"second")));
    assert_eq!((live.abi, live.policy.gas, live.forward_authorization), (Abi::Olin, Some(5), true));

    let pinned = store.deployment(&"v1--one-of-cups".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((pinned.version, pinned.digest), (VersionNumber(1), Digest::of(b"first")));
    assert_eq!(pinned.handler, live.handler);

    for nothing in ["v4--one-of-cups", "nine-of-cups", "v1--nine-of-cups"] {
        assert_eq!(store.deployment(&nothing.parse().unwrap()).await.unwrap(), None, "{nothing}");
    }
}

pub async fn are_nobody_elses(store: &dyn Store, people: &People) {
    let (bob, cups) = (people.bob.id, name("one-of-cups"));
    assert!(store.handler(bob, &cups).await.unwrap().is_none());
    assert!(store.versions(bob, &cups).await.unwrap().is_none());
    let evil = store.add_version(bob, &cups, module("evil"), None, None, &FITS).await.unwrap();
    assert!(matches!(evil, AddVersion::HandlerNotFound), "{evil:?}");
    assert!(store.set_forward_authorization(bob, &cups, false).await.unwrap().is_none());
    let result = promote(store, bob, 1, &FITS).await.unwrap();
    assert!(matches!(result, MoveResult::HandlerNotFound), "{result:?}");
    assert!(!store.delete_handler(bob, &cups, NOW).await.unwrap());

    let row = store.handler(people.ada.id, &cups).await.unwrap().unwrap();
    assert_eq!((row.live, row.forward_authorization), (VersionNumber(2), true));
    assert!(!store.module_in_use(&Digest::of(b"evil")).await.unwrap());
}

pub async fn are_deleted(store: &dyn Store, people: &People) {
    let (ada, bob, cups) = (people.ada.id, people.bob.id, name("one-of-cups"));
    let held_ms = DELETED_NAME_HELD_DAYS * 24 * 60 * 60 * 1000;
    let old = store.handler(ada, &cups).await.unwrap().unwrap();
    assert!(store.delete_handler(ada, &cups, NOW).await.unwrap());
    assert!(!store.delete_handler(ada, &cups, NOW).await.unwrap());

    assert!(store.handler(ada, &cups).await.unwrap().is_none());
    assert!(store.versions(ada, &cups).await.unwrap().is_none());
    let late = store.add_version(ada, &cups, module("late"), None, None, &FITS).await.unwrap();
    assert!(matches!(late, AddVersion::HandlerNotFound), "{late:?}");
    assert!(matches!(promote(store, ada, 1, &FITS).await.unwrap(), MoveResult::HandlerNotFound));
    for address in ["one-of-cups", "v1--one-of-cups"] {
        assert_eq!(store.deployment(&address.parse().unwrap()).await.unwrap(), None, "{address}");
    }
    assert!(!store.module_in_use(&Digest::of(b"second")).await.unwrap());
    assert!(store.module_in_use(&Digest::of(b"first")).await.unwrap(), "other handlers have it");

    // The name is Ada's for a while, then anybody's.
    let held = store.create_handler(new_handler(bob, "one-of-cups"), later(held_ms - 1)).await.unwrap();
    assert!(matches!(held, CreateHandler::NameHeld(until) if until == later(held_ms)), "{held:?}");
    let new = created(store.create_handler(new_handler(ada, "one-of-cups"), later(1)).await.unwrap());
    assert_ne!(new.id, old.id);
    assert_eq!(new.live, VersionNumber(1), "its numbers begin anew");
    assert!(store.delete_handler(ada, &cups, later(2)).await.unwrap());
    let held = store.create_handler(new_handler(bob, "one-of-cups"), later(held_ms + 1)).await.unwrap();
    assert!(matches!(held, CreateHandler::NameHeld(until) if until == later(held_ms + 2)), "{held:?}");
    let new =
        created(store.create_handler(new_handler(bob, "one-of-cups"), later(held_ms + 2)).await.unwrap());
    assert_eq!(new.owner, bob);
}
