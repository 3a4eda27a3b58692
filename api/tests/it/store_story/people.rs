//! Users, invitations, tokens.

use wasmcloud_api::store::{Grounds, NewTokenRow, Store, StoreError};
use wasmcloud_wire::body::Scope;
use wasmcloud_wire::{Timestamp, UserId};

use super::{NOW, People, later, new_user, some_id};

pub async fn come(store: &dyn Store) -> People {
    assert_eq!(store.count_users().await.unwrap(), 0);
    let ada = store.create_user(new_user("ada")).await.unwrap();
    let bob = store.create_user(new_user("bob")).await.unwrap();
    assert!(ada.is_admin && !bob.is_admin);
    assert!(ada.created_at > NOW, "{:?}", ada.created_at);

    let again = store.create_user(new_user("ada")).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    assert_eq!(store.count_users().await.unwrap(), 2);

    let found = store.user_by_name(&"ada".parse().unwrap()).await.unwrap();
    assert_eq!(found, Some((ada.clone(), "$argon2id$of-ada".to_owned())));
    assert_eq!(store.user_by_name(&"eve".parse().unwrap()).await.unwrap(), None);
    People { ada, bob }
}

pub async fn are_invited(store: &dyn Store, people: &People) {
    let code = [7; 32];
    store.create_invitation(&code, people.ada.id, later(1000)).await.unwrap();
    let again = store.create_invitation(&code, people.ada.id, later(1000)).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");

    // Neither another code nor one that is over lets anybody in, not even under a taken name.
    assert_eq!(store.create_invited_user(new_user("eve"), &[8; 32], NOW).await.unwrap(), None);
    assert_eq!(store.create_invited_user(new_user("ada"), &[8; 32], NOW).await.unwrap(), None);
    assert_eq!(store.create_invited_user(new_user("eve"), &code, later(1000)).await.unwrap(), None);

    // A taken name does not use the invitation up; a free one does, once.
    let taken = store.create_invited_user(new_user("bob"), &code, NOW).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    let eve = store.create_invited_user(new_user("eve"), &code, NOW).await.unwrap().unwrap();
    assert_eq!(eve.name.as_str(), "eve");
    assert_eq!(store.create_invited_user(new_user("zoe"), &code, NOW).await.unwrap(), None);
    assert_eq!(store.count_users().await.unwrap(), 3);
}

pub async fn hold_tokens(store: &dyn Store, people: &People) {
    let (ada, bob) = (people.ada.id, people.bob.id);
    let token = |user: UserId, label: &str, expires_at: Timestamp| NewTokenRow {
        id: some_id(),
        user,
        label: label.to_owned(),
        expires_at,
        scopes: Scope::ALL.to_vec(),
        handlers: None,
    };
    let short = token(ada, "short", later(1000));
    let long = token(ada, "long", later(9000));
    for new in [&short, &long] {
        assert!(store.create_token(new.clone(), None, &Grounds::Known, NOW).await.unwrap());
    }

    assert_eq!(
        store.live_token(short.id, NOW).await.unwrap().map(|live| live.user),
        Some(people.ada.clone())
    );
    assert_eq!(store.live_token(short.id, later(1000)).await.unwrap(), None, "expired");
    assert_eq!(store.live_token(some_id(), NOW).await.unwrap(), None, "never there");

    // Its use is noted forwards only.
    let used = async || store.live_token(short.id, NOW).await.unwrap().unwrap().used_at;
    assert_eq!(used().await, None);
    for (minute, kept) in [(later(2000), later(2000)), (later(1000), later(2000)), (later(3000), later(3000))]
    {
        store.note_token_use(short.id, minute).await.unwrap();
        assert_eq!(used().await, Some(kept));
    }
    assert_eq!(
        store.tokens(ada, NOW).await.unwrap().into_iter().filter_map(|token| token.used_at).count(),
        1
    );

    let labels = async |now| {
        let tokens = store.tokens(ada, now).await.unwrap();
        assert!(tokens.iter().all(|token| !token.current));
        tokens.into_iter().map(|token| token.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(NOW).await, ["long", "short"]);
    assert_eq!(labels(later(1000)).await, ["long"]);
    assert!(store.tokens(bob, NOW).await.unwrap().is_empty());

    assert!(!store.revoke_token(bob, long.id, NOW).await.unwrap(), "not his");
    assert!(store.revoke_token(ada, long.id, NOW).await.unwrap());
    assert!(!store.revoke_token(ada, long.id, NOW).await.unwrap(), "revoked already");
    assert!(!store.revoke_token(ada, short.id, later(1000)).await.unwrap(), "expired");
    assert_eq!(store.live_token(long.id, NOW).await.unwrap(), None, "revoked");
    assert_eq!(labels(NOW).await, ["short"]);
}
