//! Settings: a handler's, changed one change after the other, sealed before they come here.

use wasmcloud_api::store::{
    AddVersion, EditSettings, HandlerSettings, SealedSetting, SettingChanges, SettingCounts, SettingRow,
    Store, Unfit,
};
use wasmcloud_wire::{HandlerId, HandlerName, Inspection, Policy, VersionNumber};

use super::{FITS, People, added, module, sealed};

fn changed(result: EditSettings) -> HandlerSettings {
    match result {
        EditSettings::Changed(settings) => *settings,
        other => panic!("not changed: {other:?}"),
    }
}

fn pairs(rows: &[SettingRow]) -> Vec<(&str, &str)> {
    let text = |row: &'_ SettingRow| std::str::from_utf8(&row.setting.sealed).unwrap().to_owned();
    rows.iter().map(|row| (row.setting.name.as_str(), text(row).leak() as &str)).collect()
}

pub async fn are_edited(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let ace: HandlerName = "ace-of-cups".parse().unwrap();
    let there = store.settings(ada, &ace).await.unwrap().unwrap();
    assert_eq!(pairs(&there.rows), [("FROM_THE_START", "one")]);
    assert_eq!(there.live, module("first").inspection);

    // What is set, replaced and removed in one change; a flag and a key can change with a value.
    let plain = SealedSetting { secret: false, key_id: "other".to_owned(), ..sealed("B", "two") };
    let edit = |handler: HandlerId, rows: &[SettingRow]| {
        assert_eq!((handler, pairs(rows)), (there.handler, vec![("FROM_THE_START", "one")]));
        let set = vec![sealed("a_z", "three"), plain.clone(), sealed("A", "")];
        Ok(SettingChanges { set, unset: vec!["FROM_THE_START".to_owned()] })
    };
    let first = changed(store.edit_settings(ada, &ace, &edit).await.unwrap());
    assert_eq!(
        pairs(&first.rows),
        [("A", ""), ("B", "two"), ("a_z", "three")],
        "by name, whatever the locale"
    );
    assert_eq!(first.rows[1].setting, plain);
    let replace = |_: HandlerId, _: &[SettingRow]| {
        Ok(SettingChanges { set: vec![sealed("B", "four")], unset: Vec::new() })
    };
    let second = changed(store.edit_settings(ada, &ace, &replace).await.unwrap());
    assert_eq!(second.rows[1].setting, sealed("B", "four"));
    assert!(second.rows[1].updated_at >= first.rows[1].updated_at);
    assert_eq!((&second.rows[0], &second.rows[2]), (&first.rows[0], &first.rows[2]));

    // Nobody else's change comes in between.
    let edits: Vec<_> = (0..8)
        .map(|number| {
            move |_: HandlerId, rows: &[SettingRow]| {
                let set = vec![sealed(&format!("N{number}"), &rows.len().to_string())];
                Ok::<_, Unfit>(SettingChanges { set, unset: Vec::new() })
            }
        })
        .collect();
    let all = edits.iter().map(|edit| store.edit_settings(ada, &ace, edit));
    let results = futures::future::join_all(all).await.into_iter();
    let mut counts: Vec<usize> = results.map(|result| changed(result.unwrap()).rows.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [4, 5, 6, 7, 8, 9, 10, 11]);

    are_told_with_addresses_and_versions(store, people).await;

    // What the edit refuses stays as it is; another's handler and none are the same.
    let refuse = |_: HandlerId, _: &[SettingRow]| Err(Unfit::NotSet("X".to_owned()));
    let refused = store.edit_settings(ada, &ace, &refuse).await.unwrap();
    assert!(matches!(refused, EditSettings::Refused(Unfit::NotSet(_))), "{refused:?}");
    let nine: HandlerName = "nine-of-cups".parse().unwrap();
    for (owner, name) in [(bob, &ace), (ada, &nine)] {
        assert!(store.settings(owner, name).await.unwrap().is_none());
        let nobodys = store.edit_settings(owner, name, &replace).await.unwrap();
        assert!(matches!(nobodys, EditSettings::HandlerNotFound), "{nobodys:?}");
    }
}

async fn are_told_with_addresses_and_versions(store: &dyn Store, people: &People) {
    let (ada, ace) = (people.ada.id, "ace-of-cups".parse::<HandlerName>().unwrap());
    for address in ["ace-of-cups", "v1--ace-of-cups"] {
        let found = store.deployment(&address.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(found.settings.len(), 11);
        assert_eq!(found.settings[0].setting, sealed("A", ""));
    }

    // A version comes with its settings, and is refused with them.
    let live = store.handler(ada, &ace).await.unwrap().unwrap().live;
    let with = |name: &'static str| {
        move |_: HandlerId, rows: &[SettingRow]| {
            assert_eq!(rows.len(), 11);
            Ok::<_, Unfit>(SettingChanges { set: vec![sealed(name, "x")], unset: vec!["A".to_owned()] })
        }
    };
    let needs = |_: &Policy, settings: &[SettingRow], _: &Inspection| match settings
        .iter()
        .any(|row| row.setting.name == "NEEDED")
    {
        true => Ok(()),
        false => Err(Unfit::Missing(vec!["NEEDED".to_owned()])),
    };
    let other = with("OTHER");
    let refused = store.add_version(ada, &ace, module("x"), None, Some(&other), &needs).await.unwrap();
    assert!(matches!(refused, AddVersion::Refused(Unfit::Missing(_))), "{refused:?}");
    let edit_refuses = |_: HandlerId, _: &[SettingRow]| Err(Unfit::Unsealed);
    let refused = store.add_version(ada, &ace, module("x"), None, Some(&edit_refuses), &FITS).await.unwrap();
    assert!(matches!(refused, AddVersion::Refused(Unfit::Unsealed)), "{refused:?}");
    assert_eq!(store.settings(ada, &ace).await.unwrap().unwrap().rows.len(), 11);
    let needed = with("NEEDED");
    let row = added(store.add_version(ada, &ace, module("x"), None, Some(&needed), &needs).await.unwrap());
    assert_eq!(row.live, VersionNumber(live.0 + 1));
    let settings = store.settings(ada, &ace).await.unwrap().unwrap();
    assert_eq!((settings.rows.len(), settings.rows[0].setting.name.as_str()), (11, "B"));
    assert_eq!(settings.live, module("x").inspection);
}

/// The story's first handler had a setting, and is deleted.
pub async fn go_with_their_handler(store: &dyn Store, people: &People) {
    let count = async |key: &str| store.count_settings(key).await.unwrap();
    let before = count("the key").await;
    assert_eq!(before.of_other_keys, 0);
    let all = SettingCounts { all: before.all, of_other_keys: before.all };
    assert_eq!(count("another").await, all);
    let ace: HandlerName = "ace-of-cups".parse().unwrap();
    assert!(store.delete_handler(people.ada.id, &ace, super::NOW).await.unwrap());
    assert_eq!(count("the key").await.all, before.all - 11);
}
