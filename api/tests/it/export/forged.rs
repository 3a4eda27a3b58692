//! Files that somebody made who knows the passphrase.

use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use wasmcloud_api::export::{ExportError, check};

use super::damage::{Entries, Parts, forge};
use super::place::{PASSPHRASE, Place};
use crate::database::Database;

const NONCE_BYTES: usize = 12;

/// An export that was opened, to be changed and sealed again.
#[derive(Clone)]
struct Opened {
    manifest: Value,
    /// All entries after the manifest, as they are before they are sealed.
    entries: Entries,
}

fn key(manifest: &[u8]) -> RandomizedNonceKey {
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let how = &manifest["passphrase"];
    let number = |name: &str| u32::try_from(how[name].as_u64().unwrap()).unwrap();
    let params = Params::new(number("memory_kib"), number("passes"), number("lanes"), Some(32)).unwrap();
    let mut key = [0; 32];
    let salt = hex::decode(how["salt"].as_str().unwrap()).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(PASSPHRASE.as_bytes(), &salt, &mut key).unwrap();
    RandomizedNonceKey::new(&AES_256_GCM, &key).unwrap()
}

/// What an entry is bound to; `place` counts the entries after the manifest.
fn bound(manifest: &[u8], place: usize, name: &str) -> Aad<Vec<u8>> {
    let position = place as u64 + 1;
    let parts = [
        b"wasmcloud export\0".as_slice(),
        &Sha256::digest(manifest),
        &position.to_be_bytes(),
        name.as_bytes(),
    ];
    Aad::from(parts.concat())
}

impl Opened {
    async fn furnished() -> (Place, Opened) {
        let place = Place::furnished(Database::sqlite()).await;
        place.export("export").await.unwrap();
        let sealed = Parts::read(&place.file("export")).entries();
        let manifest = &sealed[0].1;
        let key = key(manifest);
        let open = |(place, (name, bytes)): (usize, &(String, Vec<u8>))| {
            let (nonce, text) = bytes.split_at(NONCE_BYTES);
            let nonce = Nonce::try_assume_unique_for_key(nonce).unwrap();
            let mut text = text.to_vec();
            let length = key.open_in_place(nonce, bound(manifest, place, name), &mut text).unwrap().len();
            text.truncate(length);
            (name.clone(), text)
        };
        let entries = sealed[1..].iter().enumerate().map(open).collect();
        let mut opened = Opened { manifest: serde_json::from_slice(manifest).unwrap(), entries };
        // As little work as there can be.
        for (name, value) in [("memory_kib", 8), ("passes", 1), ("lanes", 1)] {
            opened.manifest["passphrase"][name] = json!(value);
        }
        (place, opened)
    }

    fn write(&self, file: &Path) {
        let manifest = self.manifest.to_string().into_bytes();
        let key = key(&manifest);
        let seal = |(place, (name, text)): (usize, &(String, Vec<u8>))| {
            let mut sealed = text.clone();
            let nonce = key.seal_in_place_append_tag(bound(&manifest, place, name), &mut sealed).unwrap();
            (name.clone(), [nonce.as_ref(), sealed.as_slice()].concat())
        };
        let sealed = self.entries.iter().enumerate().map(seal);
        let entries: Entries =
            [("manifest.json".to_owned(), manifest.clone())].into_iter().chain(sealed).collect();
        forge(file, &entries);
    }

    fn place(&self, name: &str) -> usize {
        self.entries.iter().position(|(found, _)| found == name).unwrap()
    }

    /// Changes a column of a table's first row.
    fn set(&mut self, table: &str, column: &str, value: Value) {
        let place = self.place(&format!("tables/{table}/0"));
        let text = String::from_utf8(self.entries[place].1.clone()).unwrap();
        let (first, others) = text.split_once('\n').unwrap();
        let mut row: Value = serde_json::from_str(first).unwrap();
        assert!(row.get(column).is_some(), "{table} {column}");
        row[column] = value;
        self.entries[place].1 = format!("{row}\n{others}").into_bytes();
    }

    /// The modules, which are the last entries.
    fn modules(&self) -> usize {
        self.entries.iter().position(|(name, _)| name.starts_with("modules/")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_in_another_order_and_tables_that_are_missing_are_refused() {
    let (place, opened) = Opened::furnished().await;
    let file = place.file("forged");
    opened.write(&file);
    check(PASSPHRASE, &file).await.unwrap();

    let (users, modules) = (opened.place("tables/users/0"), opened.modules());
    let last = opened.entries.len() - 1;
    let rows = opened.manifest["rows"]["users"].as_u64().unwrap();
    let mut forged: Vec<(&str, &str, Opened)> = Vec::new();
    let mut change = |what, words, edit: &dyn Fn(&mut Opened)| {
        let mut copy = opened.clone();
        edit(&mut copy);
        forged.push((what, words, copy));
    };
    change("the modules come before the tables", "`tables/plans/0`", &|all| {
        all.entries[1..].rotate_left(modules - 1)
    });
    change("a table comes after the modules", "`tables/users/0`", &|all| all.entries[users..].rotate_left(1));
    change("two tables change places", "`tables/users/0`", &|all| all.entries.swap(users, users + 1));
    change("a table is there twice", "`tables/users/0`", &|all| {
        all.entries.insert(users, all.entries[users].clone());
        all.manifest["rows"]["users"] = json!(2 * rows);
    });
    change("its second part comes after the modules", "`tables/users/1`", &|all| {
        all.entries.push(("tables/users/1".to_owned(), all.entries[users].1.clone()));
        all.manifest["rows"]["users"] = json!(2 * rows);
    });
    change("its first part is missing", "`tables/users/1`", &|all| {
        all.entries[users].0 = "tables/users/1".to_owned();
    });
    change("a module is there twice", "`modules/", &|all| {
        all.entries.push(all.entries[last].clone());
        all.manifest["modules"] = json!(last - modules + 2);
    });
    change("two modules change places", "`modules/", &|all| all.entries.swap(last - 1, last));
    change("there are no users", "no users", &|all| {
        all.entries.remove(users);
        all.manifest["rows"]["users"] = json!(0);
    });
    change("no plan is for newcomers", "0 of its plans are for newcomers", &|all| {
        let place = all.place("tables/plans/0");
        let text = String::from_utf8(all.entries[place].1.clone()).unwrap();
        all.entries[place].1 = text.replace(r#""is_default":true"#, r#""is_default":false"#).into_bytes();
    });
    change("a table is not counted", "how many rows of routes", &|all| {
        all.entries.retain(|(name, _)| name != "tables/routes/0");
        all.manifest["rows"].as_object_mut().unwrap().remove("routes");
    });
    change("there is another table", "tables that no installation has", &|all| {
        all.manifest["rows"]["more"] = json!(0);
    });
    for (what, words, forged) in &forged {
        forged.write(&file);
        let target = Place::empty(Database::sqlite()).await;
        let error = target.import(&file).await.unwrap_err();
        assert!(matches!(error, ExportError::Damaged { .. }), "{what}: {error}");
        assert!(error.to_string().contains(words), "{what}: {error}");
        target.is_untouched().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_api_would_not_have_written_are_refused() {
    let (place, opened) = Opened::furnished().await;
    let file = place.file("forged");
    let expensive = "$argon2id$v=19$m=3145728,t=50,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA";
    for (table, column, value, words) in [
        ("plans", "name", json!("../../x"), "no name for a plan"),
        ("plans", "handlers_max", json!(-1), "handlers_max is -1"),
        ("users", "name", json!("../../x"), "not a name"),
        ("users", "name", json!("ada\u{1b}[2J\0"), "not a name"),
        (
            "users",
            "password_hash",
            json!(expensive),
            "ada: the password hash is not taken: it asks for 3145728 KiB",
        ),
        ("users", "password_hash", json!("secret"), "ada"),
        ("members", "role", json!("king"), "`king` is no role"),
        ("offers", "role", json!("king"), "`king` is no role"),
        ("tokens", "scopes", json!("read everything"), "scopes: `everything` is no scope"),
        ("tokens", "scopes", json!(""), "scopes"),
        ("tokens", "handlers", json!("teapot"), "handlers"),
        ("tokens", "handlers", json!(r#"["../../x"]"#), "handlers"),
        ("modules", "abi", json!("no-abi"), "abi"),
        ("modules", "abi", json!("wasi-http-0.3"), "its inspection says"),
        ("modules", "inspection", json!("garbage"), "inspection"),
        ("modules", "size_bytes", json!(-1), "size_bytes is -1"),
        ("handlers", "name", json!("../../x"), "not a name"),
        ("handlers", "policy", json!("{{{{"), "teapot: policy"),
        ("handlers", "policy", json!(r#"{"memory_bytes":9223372036854775808}"#), "memory_bytes"),
        ("handlers", "policy", json!(r#"{"allow":["("]}"#), "allow"),
        ("handlers", "rolled_back", json!("[]"), "rolled_back"),
        ("handlers", "recording", json!("x"), "recording"),
        ("handlers", "last_version", json!(i64::MIN), "last_version"),
        ("handlers", "live_version", json!(999), "live_version is 999, and the last version is 2"),
        ("handlers", "previous_version", json!(0), "previous_version"),
        ("versions", "number", json!(1_u64 << 62), "no version's number"),
        ("hosts", "name", json!("a b"), "no host name"),
        ("hosts", "name", json!("API.example.com"), "is written `api.example.com`"),
        ("routes", "host", json!("localhost"), "no host name"),
        ("routes", "path", json!("/a/../b"), "path"),
        ("routes", "path", json!("/a/"), "is written `/a`"),
    ] {
        let mut forged = opened.clone();
        forged.set(table, column, value.clone());
        forged.write(&file);
        let target = Place::empty(Database::sqlite()).await;
        let error = target.import(&file).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, ExportError::Unsound { .. }), "{table} {column} {value}: {said}");
        assert!(said.contains(table) && said.contains(words), "{table} {column} {value}: {said}");
        assert!(!said.chars().any(char::is_control), "{said:?}");
        assert!(error.hint().contains("nothing was written"), "{}", error.hint());
        target.is_untouched().await;
    }
}
