//! Claims: uploads share a module, whoever deletes has it alone.

use std::sync::Arc;

use uuid::Uuid;
use wasmcloud_api::store::{Claim, Store, Subject};
use wasmcloud_wire::{Digest, Timestamp, UserId};

use crate::database::{Database, on_both_databases};
use crate::store_story::{NOW, created, later, new_handler, new_user};

on_both_databases!(
    uploads_share_a_module_and_nobody_deletes_it_meanwhile,
    whoever_deletes_a_module_has_it_alone,
    a_claim_ends_when_its_time_is_over,
    only_what_no_handler_refers_to_can_be_claimed_for_deletion,
    one_process_sweeps_within_the_hour,
    claims_at_once_are_never_both_granted,
);

const MINUTE: i64 = 60_000;

fn unused() -> Digest {
    Digest::of(b"nobody refers to this")
}

async fn upload(store: &Arc<dyn Store>, digest: &Digest, holder: Uuid, now: Timestamp) -> bool {
    let claim = Claim { subject: Subject::Upload(digest), holder, expires_at: Timestamp(now.0 + MINUTE) };
    store.claim(claim, now).await.unwrap()
}

async fn delete(store: &Arc<dyn Store>, digests: &[Digest], holder: Uuid, now: Timestamp) -> Vec<Digest> {
    store.claim_unused(digests, holder, Timestamp(now.0 + MINUTE), now).await.unwrap()
}

async fn uploads_share_a_module_and_nobody_deletes_it_meanwhile(database: Database) {
    let store = database.open().await.unwrap();
    let [one, other, sweeper] = [(); 3].map(|()| Uuid::new_v4());
    assert!(upload(&store, &unused(), one, NOW).await);
    assert!(upload(&store, &unused(), other, NOW).await);
    assert_eq!(delete(&store, &[unused()], sweeper, NOW).await, []);
    store.release(one).await.unwrap();
    assert_eq!(delete(&store, &[unused()], sweeper, NOW).await, []);
    store.release(other).await.unwrap();
    assert_eq!(delete(&store, &[unused()], sweeper, NOW).await, [unused()]);
}

async fn whoever_deletes_a_module_has_it_alone(database: Database) {
    let store = database.open().await.unwrap();
    let [one, other] = [(); 2].map(|()| Uuid::new_v4());
    let also_unused = Digest::of(b"nor to this");
    assert_eq!(delete(&store, &[unused()], one, NOW).await, [unused()]);
    assert_eq!(delete(&store, &[unused(), also_unused], other, NOW).await, [also_unused]);
    assert!(!upload(&store, &unused(), other, NOW).await);
    store.release(one).await.unwrap();
    assert!(upload(&store, &unused(), other, NOW).await);
    assert!(!upload(&store, &also_unused, one, NOW).await, "the other still has it");
}

async fn a_claim_ends_when_its_time_is_over(database: Database) {
    let store = database.open().await.unwrap();
    let [one, other] = [(); 2].map(|()| Uuid::new_v4());
    assert!(upload(&store, &unused(), one, NOW).await);
    // Prolonged by its holder.
    assert!(upload(&store, &unused(), one, later(MINUTE / 2)).await);
    assert_eq!(delete(&store, &[unused()], other, later(MINUTE)).await, []);
    assert_eq!(delete(&store, &[unused()], other, later(2 * MINUTE)).await, [unused()]);
    assert!(!upload(&store, &unused(), one, later(2 * MINUTE)).await);
    assert!(upload(&store, &unused(), one, later(3 * MINUTE)).await);
}

async fn only_what_no_handler_refers_to_can_be_claimed_for_deletion(database: Database) {
    let store = database.open().await.unwrap();
    let ada: UserId = store.create_user(new_user("ada")).await.unwrap().id;
    let one = created(store.create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap());
    let two = created(store.create_handler(new_handler(ada, "two-of-cups"), NOW).await.unwrap());
    let digests = [one.digest, unused()];
    assert_eq!(one.digest, two.digest);
    for name in [&one.name, &two.name] {
        let sweeper = Uuid::new_v4();
        assert_eq!(delete(&store, &digests, sweeper, NOW).await, [unused()]);
        store.release(sweeper).await.unwrap();
        assert!(store.delete_handler(ada, name, NOW).await.unwrap());
    }
    assert_eq!(delete(&store, &digests, Uuid::new_v4(), NOW).await, digests, "both handlers are deleted");
    assert_eq!(delete(&store, &[], Uuid::new_v4(), NOW).await, []);
}

async fn one_process_sweeps_within_the_hour(database: Database) {
    let store = database.open().await.unwrap();
    let turn = |expires_at| Claim { subject: Subject::Sweep, holder: Uuid::new_v4(), expires_at };
    assert!(store.claim(turn(later(MINUTE)), NOW).await.unwrap());
    assert!(!store.claim(turn(later(2 * MINUTE)), later(1)).await.unwrap());
    assert!(store.claim(turn(later(2 * MINUTE)), later(MINUTE)).await.unwrap());
}

async fn claims_at_once_are_never_both_granted(database: Database) {
    let store = database.open().await.unwrap();
    for round in 0..20_u8 {
        let digest = Digest::of(&[round]);
        let (uploader, sweeper) = (Uuid::new_v4(), Uuid::new_v4());
        let digests = [digest];
        let (uploads, deletes) =
            tokio::join!(upload(&store, &digest, uploader, NOW), delete(&store, &digests, sweeper, NOW));
        assert_ne!(uploads, !deletes.is_empty(), "round {round}");
    }
}
