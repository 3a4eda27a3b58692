//! Modules: compiled once, kept on disk, never run unless their digest is right; every instance fresh.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::future::join_all;
use tempfile::TempDir;
use wasmcloud_wire::{Digest, Invoker, PrepareError};

use crate::app::{TestExecutor, within};
use crate::control::Control;
use crate::wasm::{fixture, prints};

fn fetched(app: &TestExecutor) -> usize {
    app.control.see(|state| state.fetched)
}

/// The file of a compiled module.
fn artifact(cache: &Path, digest: &Digest) -> PathBuf {
    let found = fs::read_dir(cache).unwrap().filter_map(|entry| {
        let path = entry.unwrap().path().join(digest.to_string());
        path.exists().then_some(path)
    });
    let found: Vec<PathBuf> = found.collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[tokio::test]
async fn every_request_finds_a_fresh_instance() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &fixture("globals_canary")).await;
    for _ in 0..40 {
        assert_eq!(app.get("hello", "/").await.text(), "1 1 1 0\n");
    }
    let answers = join_all((0..24).map(|_| app.get("hello", "/"))).await;
    for answer in answers {
        assert_eq!(answer.text(), "1 1 1 0\n");
    }
}

#[tokio::test]
async fn another_handler_finds_nothing_of_the_first_one_either() {
    let app = TestExecutor::start().await;
    app.deploy("one", &fixture("globals_canary")).await;
    app.deploy("two", &fixture("globals_canary")).await;
    for _ in 0..20 {
        let (one, two) = tokio::join!(app.get("one", "/"), app.get("two", "/"));
        assert_eq!((one.text(), two.text()), ("1 1 1 0\n", "1 1 1 0\n"));
    }
    // The same bytes are one module, whoever owns them.
    assert_eq!(fetched(&app), 1);
}

#[tokio::test]
async fn many_first_requests_at_once_fetch_and_compile_a_module_once() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\nonce")).await;
    let answers = join_all((0..16).map(|_| app.get("hello", "/"))).await;
    assert!(answers.iter().all(|answer| answer.text() == "once"));
    assert_eq!(fetched(&app), 1);
    assert_eq!(app.get("hello", "/").await.text(), "once");
    assert_eq!(fetched(&app), 1);
}

#[tokio::test]
async fn what_was_prepared_is_warm() {
    let app = TestExecutor::start().await;
    let deployment = app.deploy("hello", &prints("A: b\n\nwarm")).await;
    let inspection = within("prepared", app.executor.prepare(&deployment.digest)).await.unwrap();
    assert_eq!(inspection.size_bytes, prints("A: b\n\nwarm").len() as u64);
    // The module's bytes are no longer needed.
    app.control.update(|state| state.modules.clear());
    assert_eq!(app.get("hello", "/").await.text(), "warm");
    assert_eq!(fetched(&app), 1);
}

#[tokio::test]
async fn a_compiled_module_is_used_again_after_a_restart() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = TestExecutor::start_in(cache.path(), control.clone()).await;
    let digest = app.deploy("hello", &prints("A: b\n\nagain")).await.digest;
    assert_eq!(app.get("hello", "/").await.text(), "again");
    app.stop().await;
    let before = fs::metadata(artifact(cache.path(), &digest)).unwrap();
    let app = TestExecutor::start_in(cache.path(), control).await;
    assert_eq!(app.get("hello", "/").await.text(), "again");
    let after = fs::metadata(artifact(cache.path(), &digest)).unwrap();
    // What is compiled anew is another file.
    // What is compiled anew is another file; that it was used again is written to this one.
    assert_eq!((before.ino(), before.created().ok()), (after.ino(), after.created().ok()));
}

#[tokio::test]
async fn a_compiled_module_that_was_tampered_with_is_made_anew() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = TestExecutor::start_in(cache.path(), control.clone()).await;
    let digest = app.deploy("hello", &prints("A: b\n\nsound")).await.digest;
    assert_eq!(app.get("hello", "/").await.text(), "sound");
    app.stop().await;
    let file = artifact(cache.path(), &digest);
    let sound = fs::read(&file).unwrap();
    let middle = sound.len() / 2;
    let mut flipped = sound.clone();
    flipped[middle] ^= 0xff;
    for tampered in [flipped, sound[..middle].to_vec(), Vec::new(), b"\x7fELF".repeat(1_000)] {
        fs::write(&file, &tampered).unwrap();
        let app = TestExecutor::start_in(cache.path(), control.clone()).await;
        assert_eq!(app.get("hello", "/").await.text(), "sound");
        app.stop().await;
        assert_ne!(fs::read(&file).unwrap(), tampered);
    }
}

#[tokio::test]
async fn a_compiled_module_of_another_does_not_pass_for_this_one() {
    let (cache, control) = (TempDir::new().unwrap(), Control::default());
    let app = TestExecutor::start_in(cache.path(), control.clone()).await;
    let one = app.deploy("one", &prints("A: b\n\none")).await.digest;
    let two = app.deploy("two", &prints("A: b\n\ntwo")).await.digest;
    assert_eq!((app.get("one", "/").await.text(), app.get("two", "/").await.text()), ("one", "two"));
    app.stop().await;
    fs::copy(artifact(cache.path(), &two), artifact(cache.path(), &one)).unwrap();
    let app = TestExecutor::start_in(cache.path(), control).await;
    assert_eq!(app.get("one", "/").await.text(), "one");
}

#[tokio::test]
async fn bytes_whose_digest_is_wrong_never_run() {
    let app = TestExecutor::start().await;
    let digest = app.deploy("hello", &prints("A: b\n\nright")).await.digest;
    app.control.update(|state| state.modules.insert(digest, Bytes::from(prints("A: b\n\nwrong"))));
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.error().code.as_str()), (503, "unavailable"));
    let prepared = app.executor.prepare(&digest).await;
    assert!(
        matches!(&prepared, Err(PrepareError::Unavailable(reason)) if reason.contains("digest")),
        "{prepared:?}"
    );
    // The failure is not remembered.
    app.control.update(|state| state.modules.insert(digest, Bytes::from(prints("A: b\n\nright"))));
    assert_eq!(app.get("hello", "/").await.text(), "right");
}

#[tokio::test]
async fn a_module_that_is_missing_or_cannot_run_is_503_and_says_no_cause() {
    let app = TestExecutor::start().await;
    let digest = app.deploy("hello", &prints("A: b\n\n")).await.digest;
    app.control.update(|state| state.modules.remove(&digest));
    let answer = app.get("hello", "/").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(!answer.text().contains(&digest.to_string()));
    app.deploy("hello", &fixture("unknown_import")).await;
    assert_eq!(app.get("hello", "/").await.status, 503);
    app.control.update(|state| state.is_down = true);
    assert_eq!(app.get("hello", "/").await.status, 503);
}

#[tokio::test]
async fn a_client_that_leaves_while_its_module_is_compiled_harms_nobody() {
    let app = TestExecutor::start().await;
    app.deploy("hello", &prints("A: b\n\nstill here")).await;
    for _ in 0..5 {
        let mut client = app.connect().await;
        client.send("GET / HTTP/1.1\r\nhost: hello.localhost\r\n\r\n").await;
        drop(client);
    }
    assert_eq!(app.get("hello", "/").await.text(), "still here");
}
