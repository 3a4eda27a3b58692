//! Tokens and invitations that nobody can use any more.

use uuid::Uuid;
use wasmcloud_api::store::{Grounds, NewTokenRow, Store};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::Scope;

use super::{NOW, People, later, new_user};

pub async fn ends_tokens_and_invitations(store: &dyn Store, people: &People) {
    store.sweep_expired(Timestamp(i64::MAX)).await.unwrap();
    let (live, revoked, expired) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
    for (id, expires_at) in [(live, later(1_000)), (revoked, later(1_000)), (expired, NOW)] {
        let (label, scopes) = ("token".to_owned(), Scope::ALL.to_vec());
        let row = NewTokenRow { id, user: people.ada.id, label, expires_at, scopes, handlers: None };
        assert!(store.create_token(row, None, &Grounds::Known, NOW).await.unwrap());
    }
    assert!(store.revoke_token(people.ada.id, revoked, NOW).await.unwrap());
    for (code, expires_at) in [([21; 32], later(1_000)), ([22; 32], NOW)] {
        store.create_invitation(&code, people.ada.id, expires_at).await.unwrap();
    }

    assert_eq!(store.sweep_expired(later(-1)).await.unwrap(), 0);
    assert_eq!(store.sweep_expired(NOW).await.unwrap(), 3, "two tokens and an invitation");
    assert_eq!(store.sweep_expired(NOW).await.unwrap(), 0);

    assert!(store.live_token(live, NOW).await.unwrap().is_some());
    assert!(store.live_token(revoked, later(-10)).await.unwrap().is_none());
    let invited = store.create_invited_user(new_user("zoe"), &[21; 32], NOW).await.unwrap();
    assert!(invited.is_some(), "an invitation that is good is kept");
    // A used one goes when its time is over, and leaves its user.
    assert_eq!(store.sweep_expired(later(1_000)).await.unwrap(), 2);
    assert!(store.user_by_name(&"zoe".parse().unwrap()).await.unwrap().is_some());
}
