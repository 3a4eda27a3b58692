//! What every place for modules promises.

use std::time::Duration;

use bytes::Bytes;
use wasmcloud_blob::BlobError;
use wasmcloud_wire::Digest;

use crate::place::{Place, set_age};

const MODULE: Bytes = Bytes::from_static(b"\0asm\x01\0\0\0");

/// Makes of each named function `async fn name(place: Place)` a test over either kind of place.
macro_rules! in_both_places {
    ($($name:ident),* $(,)?) => {
        mod folder {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Place::folder()).await;
                }
            )*
        }

        mod bucket {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name(super::Place::bucket()).await;
                }
            )*
        }
    };
}

in_both_places!(
    bytes_come_back_by_their_digest,
    bytes_are_there_after_opening_again,
    putting_the_same_bytes_twice_keeps_one_object,
    many_uploads_of_the_same_bytes_at_once_all_succeed,
    bytes_with_another_digest_are_not_kept,
    damaged_bytes_are_never_returned_and_the_next_put_mends_them,
    deleted_bytes_are_gone_and_deleting_twice_is_no_error,
    the_list_has_size_and_age_and_a_put_makes_young_again,
    what_is_not_ours_is_not_listed,
    an_object_has_the_same_name_in_either_place,
    a_place_that_is_there_passes_its_check,
    no_bytes_are_bytes_too,
);

async fn bytes_come_back_by_their_digest(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    assert_eq!(blobs.get(&digest).await.unwrap(), None);
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

async fn bytes_are_there_after_opening_again(place: Place) {
    let digest = Digest::of(&MODULE);
    place.open().await.put(&digest, MODULE).await.unwrap();
    assert_eq!(place.open().await.get(&digest).await.unwrap(), Some(MODULE));
}

async fn putting_the_same_bytes_twice_keeps_one_object(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(place.files().len(), 1);
}

async fn many_uploads_of_the_same_bytes_at_once_all_succeed(place: Place) {
    let blobs = place.open().await;
    let bytes = Bytes::from(vec![7; 100_000]);
    let digest = Digest::of(&bytes);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (blobs, bytes) = (blobs.clone(), bytes.clone());
            tokio::spawn(async move { blobs.put(&digest, bytes).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(bytes));
    assert_eq!(place.files().len(), 1);
}

async fn bytes_with_another_digest_are_not_kept(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(b"something else");
    let error = blobs.put(&digest, MODULE).await.unwrap_err();
    assert!(matches!(error, BlobError::Mismatch { expected, .. } if expected == digest), "{error}");
    assert!(place.files().is_empty());
}

async fn damaged_bytes_are_never_returned_and_the_next_put_mends_them(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    for damage in [&b""[..], b"\0asm\x02\0\0\0", b"\0asm"] {
        std::fs::write(&place.files()[0], damage).unwrap();
        let error = blobs.get(&digest).await.unwrap_err();
        assert!(matches!(error, BlobError::Corrupt { .. }), "{error}");
    }
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

async fn deleted_bytes_are_gone_and_deleting_twice_is_no_error(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    blobs.delete(&digest).await.unwrap();
    blobs.delete(&digest).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), None);
    assert_eq!(blobs.list().await.unwrap(), []);
}

async fn the_list_has_size_and_age_and_a_put_makes_young_again(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    let hour = Duration::from_secs(3600);
    set_age(&place.files()[0], hour);

    let listed = blobs.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].digest, listed[0].size_bytes), (1, digest, 8));
    assert!(listed[0].age >= hour, "{:?}", listed[0].age);

    blobs.put(&digest, MODULE).await.unwrap();
    let listed = blobs.list().await.unwrap();
    assert!(listed[0].age < hour, "{:?}", listed[0].age);
}

async fn what_is_not_ours_is_not_listed(place: Place) {
    let digest = Digest::of(&MODULE);
    let other_place = format!("aa/aa/{digest}");
    for name in ["README", "ab/notes", "ab/cd/notes", "lost+found/ab/x", &other_place] {
        place.add(name);
    }
    let listed = place.open().await.list().await.unwrap();
    // A folder takes any file with the name of a digest; whether it is found by that is the same in both.
    assert!(listed.iter().all(|stored| stored.digest == digest), "{listed:?}");
    assert_eq!(place.open().await.get(&digest).await.unwrap(), None);
}

async fn an_object_has_the_same_name_in_either_place(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    let name = digest.to_string();
    let expected = format!("data/modules/{}/{}/{name}", &name[..2], &name[2..4]);
    assert!(place.files()[0].ends_with(&expected), "{:?}", place.files());
}

async fn a_place_that_is_there_passes_its_check(place: Place) {
    let blobs = place.open().await;
    blobs.check().await.unwrap();
    assert!(place.files().is_empty());
    assert_eq!(blobs.abort_unfinished(Duration::ZERO).await.unwrap(), 0);
}

async fn no_bytes_are_bytes_too(place: Place) {
    let blobs = place.open().await;
    let digest = Digest::of(b"");
    blobs.put(&digest, Bytes::new()).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(Bytes::new()));
}
