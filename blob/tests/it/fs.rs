//! What only a folder promises.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use wasmcloud_blob::{BlobError, Blobs, FsBlobs};
use wasmcloud_wire::Digest;

use crate::place::files;

const MODULE: Bytes = Bytes::from_static(b"\0asm\x01\0\0\0");

async fn open() -> (TempDir, FsBlobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FsBlobs::open(folder.path().join("data/modules")).await.unwrap();
    (folder, blobs)
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
