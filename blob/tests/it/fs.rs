use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tempfile::TempDir;
use wasmcloud_blob::{BlobError, Blobs, FsBlobs};
use wasmcloud_wire::Digest;

const MODULE: Bytes = Bytes::from_static(b"\0asm\x01\0\0\0");

async fn open() -> (TempDir, FsBlobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FsBlobs::open(folder.path().join("data/modules")).await.unwrap();
    (folder, blobs)
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn bytes_come_back_by_their_digest() {
    let (_folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    assert_eq!(blobs.get(&digest).await.unwrap(), None);
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test]
async fn bytes_are_there_after_opening_again() {
    let (folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    let again = FsBlobs::open(folder.path().join("data/modules")).await.unwrap();
    assert_eq!(again.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test]
async fn putting_the_same_bytes_twice_keeps_one_file() {
    let (folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn many_uploads_of_the_same_bytes_at_once_all_succeed() {
    let (folder, blobs) = open().await;
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
    assert_eq!(files(folder.path()).len(), 1);
}

#[tokio::test]
async fn bytes_with_another_digest_are_not_kept() {
    let (folder, blobs) = open().await;
    let digest = Digest::of(b"something else");
    let error = blobs.put(&digest, MODULE).await.unwrap_err();
    assert!(matches!(error, BlobError::Mismatch { expected, .. } if expected == digest), "{error}");
    assert!(files(folder.path()).is_empty());
}

#[tokio::test]
async fn damaged_bytes_are_never_returned_and_the_next_put_mends_them() {
    let (folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    for damage in [&b""[..], b"\0asm\x02\0\0\0", b"\0asm"] {
        std::fs::write(&files(folder.path())[0], damage).unwrap();
        let error = blobs.get(&digest).await.unwrap_err();
        assert!(matches!(error, BlobError::Corrupt { .. }), "{error}");
    }
    blobs.put(&digest, MODULE).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), Some(MODULE));
}

#[tokio::test]
async fn deleted_bytes_are_gone_and_deleting_twice_is_no_error() {
    let (_folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    blobs.delete(&digest).await.unwrap();
    blobs.delete(&digest).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), None);
    assert_eq!(blobs.list().await.unwrap(), []);
}

#[tokio::test]
async fn the_list_has_size_and_age_and_a_put_makes_young_again() {
    let (folder, blobs) = open().await;
    let digest = Digest::of(&MODULE);
    blobs.put(&digest, MODULE).await.unwrap();
    let hour = Duration::from_secs(3600);
    let file = std::fs::File::open(&files(folder.path())[0]).unwrap();
    file.set_modified(SystemTime::now() - hour).unwrap();

    let listed = blobs.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].digest, listed[0].size_bytes), (1, digest, 8));
    assert!(listed[0].age >= hour, "{:?}", listed[0].age);

    blobs.put(&digest, MODULE).await.unwrap();
    let listed = blobs.list().await.unwrap();
    assert!(listed[0].age < hour, "{:?}", listed[0].age);
}

#[tokio::test]
async fn what_is_not_ours_is_neither_listed_nor_removed() {
    let (folder, blobs) = open().await;
    let root = folder.path().join("data/modules");
    for place in ["README", "ab/notes", "ab/cd/notes", "lost+found/ab/x"] {
        std::fs::create_dir_all(root.join(place).parent().unwrap()).unwrap();
        std::fs::write(root.join(place), "mine").unwrap();
    }
    assert_eq!(blobs.list().await.unwrap(), []);
    FsBlobs::open(&root).await.unwrap();
    assert_eq!(files(&root).len(), 4);
}

#[tokio::test]
async fn opening_removes_what_a_crash_left_but_not_what_another_process_is_writing() {
    let (folder, _blobs) = open().await;
    let root = folder.path().join("data/modules");
    std::fs::create_dir_all(root.join("ab/cd")).unwrap();
    let [left, left_in_root, busy] = ["ab/cd/.tmp-0", ".tmp-1", "ab/cd/.tmp-2"].map(|name| root.join(name));
    std::fs::write(&left, "half").unwrap();
    std::fs::write(&left_in_root, "half").unwrap();
    let writer = std::fs::File::create(&busy).unwrap();
    writer.lock().unwrap();

    FsBlobs::open(&root).await.unwrap();
    assert_eq!(files(&root), [busy]);
}

#[tokio::test]
async fn folders_and_files_are_for_their_owner_only() {
    let (folder, blobs) = open().await;
    blobs.put(&Digest::of(&MODULE), MODULE).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("data/modules")), 0o700);
    assert_eq!(mode(&files(folder.path())[0]), 0o600);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_refused_at_open() {
    // Nobody, root included, may make a folder in /sys.
    let error = FsBlobs::open("/sys/modules").await.unwrap_err();
    assert!(matches!(error, BlobError::Unwritable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("cannot write to /sys/modules") && text.contains("--data"), "{text}");
}

#[tokio::test]
async fn a_file_in_the_folders_place_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modules");
    std::fs::write(&file, "").unwrap();
    let error = FsBlobs::open(&file).await.unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_folder_that_went_away_fails_the_check() {
    let (folder, blobs) = open().await;
    blobs.check().await.unwrap();
    assert!(files(folder.path()).is_empty());
    std::fs::remove_dir_all(folder.path().join("data")).unwrap();
    assert!(blobs.check().await.is_err());
}
