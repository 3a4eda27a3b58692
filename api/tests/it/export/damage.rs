//! Files that are not what an export wrote.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wasmcloud_api::export::{ExportError, check, import};

use super::place::{PASSPHRASE, Place};
use crate::database::Database;

/// Entries by name.
pub type Entries = Vec<(String, Vec<u8>)>;

/// The entries of an export, and where each begins.
pub struct Parts(Vec<(u64, String, Vec<u8>)>);

impl Parts {
    pub fn read(file: &Path) -> Parts {
        use std::io::Read as _;
        let mut archive = tar::Archive::new(std::fs::File::open(file).unwrap());
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_str().unwrap().to_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.raw_header_position(), name, bytes)
        });
        Parts(entries.collect())
    }

    /// Without the sum.
    pub fn entries(&self) -> Entries {
        let all = self.0.iter().map(|(_, name, bytes)| (name.clone(), bytes.clone()));
        all.filter(|(name, _)| name != "sha256").collect()
    }
}

/// Writes a file as somebody would who knows how they are made, with entries as they are.
pub fn forge(file: &Path, entries: &[(String, Vec<u8>)]) {
    let mut sum = Sha256::new();
    let mut tar = tar::Builder::new(std::fs::File::create(file).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        tar.append_data(&mut header, name, bytes).unwrap();
    };
    for (name, bytes) in entries {
        for part in [name.as_bytes(), bytes.as_slice()] {
            sum.update((part.len() as u64).to_be_bytes());
            sum.update(part);
        }
        add(name, bytes);
    }
    add("sha256", hex::encode(sum.finalize()).as_bytes());
    tar.finish().unwrap();
}

/// What an import says, which has to leave nothing behind.
async fn refused(file: &Path) -> ExportError {
    let target = Place::empty(Database::sqlite()).await;
    let error = target.import(file).await.unwrap_err();
    target.is_untouched().await;
    assert!(!error.hint().is_empty(), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_truncated_file_is_refused_before_anything_is_written() {
    let place = Place::furnished(Database::sqlite()).await;
    place.export("export").await.unwrap();
    let whole = std::fs::read(place.file("export")).unwrap();
    let parts = Parts::read(&place.file("export"));
    let file = place.file("damaged");
    let mut damaged = Vec::new();
    for (at, name, bytes) in &parts.0 {
        let (at, length) = (usize::try_from(*at).unwrap(), bytes.len());
        // In the header its name, its size and its kind; then the first byte, one in the middle, and the last.
        for place in [at, at + 126, at + 156, at + 512, at + 512 + length / 2, at + 512 + length - 1] {
            let mut copy = whole.clone();
            copy[place] ^= 0x10;
            damaged.push((format!("{name}, byte {place}"), copy));
        }
        for end in [at, at + 100, at + 512, at + 512 + length / 2] {
            damaged.push((format!("{name}, cut at {end}"), whole[..end].to_vec()));
        }
    }
    for end in [whole.len() - 1, whole.len() - 512, whole.len() - 1_024] {
        damaged.push((format!("cut at {end}"), whole[..end].to_vec()));
    }
    damaged.push(("longer".to_owned(), [whole.as_slice(), b"x"].concat()));
    assert!(damaged.len() > 100);
    for (what, bytes) in &damaged {
        std::fs::write(&file, bytes).unwrap();
        let error = check(PASSPHRASE, &file).await.unwrap_err();
        let known = matches!(error, ExportError::Damaged { .. } | ExportError::NotAnExport { .. });
        assert!(known, "{what}: {error}");
    }
    let (_, middle) = &damaged[damaged.len() / 2];
    std::fs::write(&file, middle).unwrap();
    let error = refused(&file).await;
    assert!(matches!(error, ExportError::Damaged { .. }), "{error}");
    assert!(error.hint().contains("another copy"), "{}", error.hint());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_by_somebody_without_the_passphrase_is_refused() {
    let place = Place::furnished(Database::sqlite()).await;
    place.export("export").await.unwrap();
    place.export("other").await.unwrap();
    let entries = Parts::read(&place.file("export")).entries();
    let other = Parts::read(&place.file("other")).entries();
    let file = place.file("forged");
    forge(&file, &entries);
    check(PASSPHRASE, &file).await.unwrap();

    let tables = entries.iter().position(|(name, _)| name == "tables/users/0").unwrap();
    let last = entries.len() - 1;
    let mut forged: Vec<(&str, Entries)> = Vec::new();
    let mut change = |what, edit: &dyn Fn(&mut Entries)| {
        let mut copy = entries.clone();
        edit(&mut copy);
        forged.push((what, copy));
    };
    change("the last module is left out", &|all| drop(all.pop()));
    change("a table is left out", &|all| drop(all.remove(tables)));
    change("two entries change places", &|all| all.swap(tables, last));
    change("a name is another", &|all| all[tables].0 = "tables/tokens/0".to_owned());
    change("an entry is there twice", &|all| all.push(all[last].clone()));
    change("an entry is of another export", &|all| all[tables].1 = other[tables].1.clone());
    change("a byte is another", &|all| all[last].1[20] ^= 1);
    change("an entry is empty", &|all| all[last].1.clear());
    change("there is more", &|all| all.push(("anything".to_owned(), b"x".to_vec())));
    for (what, entries) in &forged {
        forge(&file, entries);
        let error = check(PASSPHRASE, &file).await.unwrap_err();
        assert!(matches!(error, ExportError::Damaged { .. }), "{what}: {error}");
    }
    let error = refused(&file).await;
    assert!(matches!(error, ExportError::Damaged { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_is_told_from_damage_and_writes_nothing() {
    let place = Place::furnished(Database::sqlite()).await;
    place.export("export").await.unwrap();
    let target = Place::empty(Database::sqlite()).await;
    for passphrase in ["correct horse batterie", "", "CORRECT HORSE BATTERY"] {
        let error = import(&target.installation, passphrase, &place.file("export")).await.unwrap_err();
        assert!(matches!(error, ExportError::WrongPassphrase(_)), "{error}");
    }
    target.is_untouched().await;
    let text = std::fs::read(place.file("export")).unwrap();
    for secret in [&b"brown"[..], b"argon2id$", b"teapot", PASSPHRASE.as_bytes()] {
        let found = text.windows(secret.len()).any(|part| part == secret);
        assert!(!found, "{} can be read in the file", String::from_utf8_lossy(secret));
    }
}

/// How long a hostile file may keep an import busy.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_manifest_costs_neither_time_nor_memory_and_others_are_named() {
    let place = Place::furnished(Database::sqlite()).await;
    place.export("export").await.unwrap();
    let entries = Parts::read(&place.file("export")).entries();
    let manifest: Value = serde_json::from_slice(&entries[0].1).unwrap();
    let file = place.file("hostile");
    let began = Instant::now();
    for (pointer, value, words) in [
        ("/passphrase/memory_kib", json!(4_294_967_295_u32), "4294967295 KiB"),
        ("/passphrase/passes", json!(1_000_000), "1000000 passes"),
        ("/passphrase/lanes", json!(16_777_215), "16777215 lanes"),
        ("/passphrase/algorithm", json!("rot13"), "rot13"),
        ("/passphrase/salt", json!("00"), "salt"),
        ("/passphrase", json!(null), "no export"),
        ("/rows", json!([]), "no export"),
        ("/format", json!(2), "format 2, and this one knows 1"),
        ("/format", json!("x"), "no export"),
        ("/schema", json!(5_000), "migration 5000"),
    ] {
        let mut changed = manifest.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let mut entries = entries.clone();
        entries[0].1 = changed.to_string().into_bytes();
        forge(&file, &entries);
        let error = check(PASSPHRASE, &file).await.unwrap_err();
        assert!(error.to_string().contains(words), "{pointer}: {error}");
    }
    // Who wrote it is named as what to use.
    let mut newer = manifest.clone();
    newer["format"] = json!(7);
    newer["program"] = json!("9.9.9");
    newer["anything"] = json!({"else": true});
    forge(&file, &[("manifest.json".to_owned(), newer.to_string().into_bytes())]);
    let error = refused(&file).await;
    assert!(
        error.to_string().contains("format 7") && error.hint().contains("9.9.9"),
        "{error}; {}",
        error.hint()
    );
    assert!(began.elapsed() < PATIENCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_export_at_all_is_said_to_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let huge = {
        let mut header = tar::Header::new_ustar();
        header.set_path("manifest.json").unwrap();
        header.set_size(1 << 50);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let link = {
        let mut header = tar::Header::new_ustar();
        header.set_path("manifest.json").unwrap();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_size(0);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    for bytes in [b"".to_vec(), b"hello".to_vec(), vec![0; 10_240], b"text ".repeat(1_000), huge, link] {
        std::fs::write(&file, &bytes).unwrap();
        let error = refused(&file).await;
        let none = matches!(error, ExportError::NotAnExport { .. } | ExportError::Damaged { .. });
        assert!(none && error.to_string().contains("file"), "{error}");
    }
    forge(&file, &[("somebodys.txt".to_owned(), b"x".to_vec())]);
    assert!(matches!(refused(&file).await, ExportError::NotAnExport { .. }));
    assert!(matches!(refused(folder.path()).await, ExportError::NotAnExport { .. }));
    let missing = refused(&folder.path().join("missing")).await;
    assert!(missing.to_string().contains("missing") && missing.hint().contains("path"), "{missing}");
}

/// Longer than it takes to look at a file.
const LOOK: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for file in [pipe.as_path(), Path::new("/dev/zero")] {
        let checked = tokio::time::timeout(LOOK, check(PASSPHRASE, file)).await;
        if checked.is_err() {
            // Whoever waits for the other end has it then.
            std::fs::OpenOptions::new().write(true).open(file).unwrap();
        }
        let error = checked.expect("it is waited for").unwrap_err();
        assert!(matches!(error, ExportError::NotAnExport { .. }), "{error}");
        assert!(error.to_string().contains("no plain file"), "{error}");
    }
}
