//! Policies: a handler's, kept with it, changed one change after the other.

use wasmcloud_api::store::{EditPolicy, HandlerRow, Store, Unfit};
use wasmcloud_policy::SettingError;
use wasmcloud_wire::{HandlerName, Inspection, Limits, Policy, PolicyMode, VersionNumber};

use super::{FITS, People, added, module};

fn changed(result: EditPolicy) -> HandlerRow {
    match result {
        EditPolicy::Changed(row) => *row,
        other => panic!("not changed: {other:?}"),
    }
}

pub async fn are_edited(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let ace: HandlerName = "ace-of-cups".parse().unwrap();
    let of_ace = async || store.handler(ada, &ace).await.unwrap().unwrap().policy;
    assert_eq!(of_ace().await, Policy { gas: Some(5), ..Policy::default() });

    // An edit is given what there is, and nobody else's edit comes in between.
    let add = |rule: String| {
        move |policy: Policy, live: &Inspection| {
            assert_eq!(live, &module("first").inspection, "the edit is told what is live");
            let allow = policy.allow.iter().cloned().chain([rule.clone()]).collect();
            Ok::<_, Unfit>(Policy { allow, ..policy })
        }
    };
    let edits: Vec<_> = (0..8).map(|number| add(format!("^https://{number}/\u{fc}"))).collect();
    let all = edits.iter().map(|edit| store.edit_policy(ada, &ace, edit));
    let rows: Vec<HandlerRow> =
        futures::future::join_all(all).await.into_iter().map(|result| changed(result.unwrap())).collect();
    let mut counts: Vec<usize> = rows.iter().map(|row| row.policy.allow.len()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3, 4, 5, 6, 7, 8]);
    let policy = of_ace().await;
    assert_eq!((policy.allow.len(), policy.gas), (8, Some(5)));
    assert!(rows.iter().all(|row| row.updated_at > row.created_at), "the trigger keeps updated_at");

    // What the edit refuses stays as it is.
    let refuse = |_: Policy, _: &Inspection| Err(SettingError::TooManyRules(65).into());
    let refused = store.edit_policy(ada, &ace, &refuse).await.unwrap();
    assert!(
        matches!(refused, EditPolicy::Refused(Unfit::Setting(SettingError::TooManyRules(65)))),
        "{refused:?}"
    );
    assert_eq!(of_ace().await, policy);

    // Another's handler, and one that is not there, are the same.
    let nine: HandlerName = "nine-of-cups".parse().unwrap();
    for (owner, name) in [(bob, &ace), (ada, &nine)] {
        let nobodys = store.edit_policy(owner, name, &add("x".to_owned())).await.unwrap();
        assert!(matches!(nobodys, EditPolicy::HandlerNotFound), "{nobodys:?}");
    }

    // A version comes with its policy, or leaves the policy as it is.
    let own = Policy { mode: PolicyMode::End, wall_ms: Some(7), ..Policy::default() };
    let row = added(store.add_version(ada, &ace, module("of ace"), Some(&own), None, &FITS).await.unwrap());
    assert_eq!((row.live, &row.policy), (VersionNumber(2), &own));
    let row = added(store.add_version(ada, &ace, module("first"), None, None, &FITS).await.unwrap());
    assert_eq!((row.live, &row.policy), (VersionNumber(3), &own));

    // Every version has the handler's policy, within what the operator allows.
    for address in ["ace-of-cups", "v1--ace-of-cups"] {
        let found = store.deployment(&address.parse().unwrap()).await.unwrap().unwrap();
        let deployment = found.deployment(
            Default::default(),
            &Limits::default(),
            &Limits { wall_ms: 6, ..Limits::ceiling() },
        );
        assert_eq!((deployment.limits.wall_ms, deployment.urls.mode), (6, PolicyMode::End));
        assert_eq!(deployment.limits.gas, Limits::default().gas);
    }
}
