//! A whole installation as one file: what comes back is what went in, and nothing else ever does.

mod damage;
mod forged;
mod place;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use wasmcloud_api::export::{ExportError, Installation, check, export};
use wasmcloud_api::store::{LEFT_OUT, PostgresStore, SqliteStore, TABLES};
use wasmcloud_wire::{Digest, HandlerName, Timestamp};

use crate::app::module;
use crate::database::{Database, on_both_databases};
use place::{PASSPHRASE, Place, Vanishing, same_rows};

on_both_databases!(
    what_is_exported_comes_back_row_for_row_in_either_database,
    every_column_is_exported_or_left_out_on_purpose,
    an_export_while_others_write_is_of_one_moment,
    what_is_written_after_an_export_began_is_not_in_it,
    an_import_that_fails_leaves_nothing_and_can_be_tried_again,
    an_import_goes_where_nobody_is_alone,
    an_export_opens_the_database_without_changing_it,
);

async fn what_is_exported_comes_back_row_for_row_in_either_database(database: Database) {
    let place = Place::furnished(database).await;
    // More than are read at once, with a key of two columns.
    let many = "INSERT INTO hosts (name, owner_id, challenge)
        WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < 450)
        SELECT 'host-' || i || '.example.com', u.id, 'c' FROM numbers, users u WHERE u.name IN ('ada', 'bob')";
    place.database.sql(many).await.unwrap();
    let ada = place.installation.store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap().0;
    let token = place.core().await.grant_token(&ada, "before", 1).await.unwrap();
    let summary = place.export("export").await.unwrap();
    assert_eq!(
        (summary.users, summary.handlers, summary.versions, summary.settings, summary.modules, summary.hosts),
        (4, 3, 6, 2, 4, 902),
        "of a deleted handler rows alone; a team is one of the users"
    );
    assert_eq!(summary.module_bytes, 4 * module("teapot 1").len() as u64);
    assert_eq!(std::fs::metadata(place.file("export")).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<_> =
        std::fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with("export.")), "{left:?}");

    let before = place.rows().await;
    for target in [Database::sqlite(), Database::postgres().await] {
        let target = Place::empty(target).await;
        let imported = target.import(&place.file("export")).await.unwrap();
        assert_eq!(imported.summary, summary);
        assert!(imported.tokens_are_good);
        assert_eq!((imported.settings_resealed, imported.settings_unreadable), (0, 0));
        same_rows(&before, &target.rows().await);

        let store = &target.installation.store;
        assert_eq!(store.live_token(token.id, Timestamp::now()).await.unwrap().unwrap().user, ada);
        let (old, new) = (place.deployment("teapot").await, target.deployment("teapot").await);
        assert_eq!((&new.digest, &new.env, &new.limits), (&old.digest, &old.env, &old.limits));
        assert_eq!(new.env.get("POT").map(String::as_str), Some("brown"));
        let bytes = target.installation.blobs.get(&new.digest).await.unwrap().unwrap();
        assert_eq!(bytes, module("teapot 2"));
        for (old, new) in [
            (&place.installation.jwt_key_file, &target.installation.jwt_key_file),
            (&place.installation.settings_key_file, &target.installation.settings_key_file),
        ] {
            assert_eq!(std::fs::read(old).unwrap(), std::fs::read(new).unwrap());
            assert_eq!(std::fs::metadata(new).unwrap().permissions().mode() & 0o777, 0o600);
        }

        // And it goes on: the name of what was deleted is held for its owner, numbers go on, triggers work.
        let core = target.core().await;
        target.user(&core, "dee").await;
        target.export("again").await.unwrap();
    }
}

async fn every_column_is_exported_or_left_out_on_purpose(database: Database) {
    database.open().await.unwrap();
    let columns: Vec<(String, String)> = match &database {
        Database::Sqlite(_) => {
            let url = format!("sqlite://{}", database.file().display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            let sql = "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        }
        Database::Postgres { url, .. } => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            let sql = "SELECT table_name::TEXT, column_name::TEXT FROM information_schema.columns
                WHERE table_schema = current_schema()";
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        }
    };
    let there: BTreeSet<_> =
        columns.into_iter().filter(|(table, _)| !LEFT_OUT.contains(&table.as_str())).collect();
    let exported: BTreeSet<_> = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| (table.name.to_owned(), column.name.to_owned())))
        .collect();
    assert_eq!(there, exported, "a new table or column belongs into store/dump.rs");
}

async fn what_is_written_after_an_export_began_is_not_in_it(database: Database) {
    let place = Place::furnished(database).await;
    let core = place.core().await;
    let users = TABLES.iter().find(|table| table.name == "users").unwrap();
    let mut began = place.installation.store.dump().await.unwrap();
    place.user(&core, "late").await;
    assert_eq!((began.count(users).await.unwrap(), began.rows(users, None).await.unwrap().len()), (4, 4));
    drop(began);
    assert_eq!(place.installation.store.dump().await.unwrap().count(users).await.unwrap(), 5);
}

/// How often is exported while others write.
const EXPORTS: usize = 4;

async fn an_export_while_others_write_is_of_one_moment(database: Database) {
    let place = Place::furnished(database).await;
    let core = place.core().await;
    let ada = place.installation.store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap().0;
    let stop = AtomicBool::new(false);
    let writing = async {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            let name = format!("made-{number}");
            place.deploys(&core, &ada, &name, &[("NUMBER", "some", false)]).await;
            if number % 2 == 0 {
                let name: HandlerName = name.parse().unwrap();
                assert!(
                    place.installation.store.delete_handler(ada.id, &name, Timestamp::now()).await.unwrap()
                );
            }
            number += 1;
        }
        number
    };
    let exporting = async {
        for number in 0..EXPORTS {
            place.export(&format!("export-{number}")).await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(writing, exporting);
    assert!(written > 0);
    for number in 0..EXPORTS {
        let target = Place::empty(Database::sqlite()).await;
        target.import(&place.file(&format!("export-{number}"))).await.unwrap();
        let ada = target.installation.store.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap().0;
        for handler in target.installation.store.handlers(ada.id).await.unwrap() {
            let deployment = target.deployment(handler.name.as_str()).await;
            assert!(target.installation.blobs.get(&deployment.digest).await.unwrap().is_some());
            let made = handler.name.as_str().starts_with("made-");
            assert_eq!(
                deployment.env.contains_key("NUMBER"),
                made,
                "a handler and its settings come together"
            );
        }
    }
}

async fn an_import_that_fails_leaves_nothing_and_can_be_tried_again(database: Database) {
    let place = Place::furnished(Database::sqlite()).await;
    place.export("export").await.unwrap();
    let target = Place::empty(database).await;
    // The last table has no place: whatever came before has to go.
    target.database.sql("ALTER TABLE routes RENAME TO aside").await.unwrap();
    let error = target.import(&place.file("export")).await.unwrap_err();
    assert!(matches!(error, ExportError::Store(_)), "{error}");
    target.has_no_keys();
    assert_eq!(target.installation.store.count_users().await.unwrap(), 0);
    target.database.sql("ALTER TABLE aside RENAME TO routes").await.unwrap();
    target.import(&place.file("export")).await.unwrap();
    same_rows(&place.rows().await, &target.rows().await);
}

async fn an_import_goes_where_nobody_is_alone(database: Database) {
    let place = Place::furnished(database).await;
    place.export("export").await.unwrap();
    let before = place.rows().await;
    let error = place.import(&place.file("export")).await.unwrap_err();
    assert!(matches!(error, ExportError::NotEmpty), "{error}");
    assert!(error.hint().contains("--data"), "{}", error.hint());
    same_rows(&before, &place.rows().await);
}

async fn an_export_opens_the_database_without_changing_it(database: Database) {
    let place = Place::furnished(database).await;
    let store: Arc<dyn wasmcloud_api::store::Store> = match &place.database {
        Database::Sqlite(_) => Arc::new(SqliteStore::open_to_read(&place.database.file()).await.unwrap()),
        Database::Postgres { url, .. } => Arc::new(PostgresStore::connect_to_read(url).await.unwrap()),
    };
    let reading = Installation { store, ..place.installation.clone() };
    export(&reading, PASSPHRASE, &place.file("export")).await.unwrap();
    // One that this program would have to bring up to date is left alone, and so is one without any schema.
    place.database.sql("DELETE FROM _sqlx_migrations WHERE version > 3").await.unwrap();
    let error = export(&reading, PASSPHRASE, &place.file("other")).await.unwrap_err();
    assert!(error.to_string().contains("migration 3"), "{error}");
    assert!(!place.file("other").exists());
    place.database.sql("DROP TABLE _sqlx_migrations").await.unwrap();
    let opened = match &place.database {
        Database::Sqlite(_) => SqliteStore::open_to_read(&place.database.file()).await.map(drop),
        Database::Postgres { url, .. } => PostgresStore::connect_to_read(url).await.map(drop),
    };
    assert!(opened.unwrap_err().to_string().contains("migration 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_encrypted_anew_where_there_is_another_key() {
    let place = Place::furnished(Database::sqlite()).await;
    // One setting could not be read before.
    place.database.sql("UPDATE handler_settings SET key_id = 'lost' WHERE name = 'TEA'").await.unwrap();
    place.export("export").await.unwrap();
    let target = Place::empty(Database::sqlite()).await;
    let own_key = "07".repeat(32);
    std::fs::write(&target.installation.settings_key_file, &own_key).unwrap();
    let other = Place::empty(Database::sqlite()).await;
    other.core().await;
    std::fs::copy(&other.installation.jwt_key_file, &target.installation.jwt_key_file).unwrap();
    let imported = target.import(&place.file("export")).await.unwrap();
    assert_eq!((imported.settings_resealed, imported.settings_unreadable), (1, 1));
    assert!(!imported.tokens_are_good);
    assert_eq!(std::fs::read_to_string(&target.installation.settings_key_file).unwrap(), own_key);
    target.database.sql("DELETE FROM handler_settings WHERE name = 'TEA'").await.unwrap();
    assert_eq!(target.deployment("teapot").await.env.get("POT").map(String::as_str), Some("brown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_exported_whole_is_not_exported_and_says_what_to_do() {
    let nobody = Place::empty(Database::sqlite()).await;
    let refused = async |place: &Place, passphrase: &str| {
        let error = export(&place.installation, passphrase, &place.file("export")).await.unwrap_err();
        assert!(!place.file("export").exists());
        assert!(!error.hint().is_empty());
        error.to_string()
    };
    assert!(refused(&nobody, PASSPHRASE).await.contains("nothing to export"));

    let place = Place::furnished(Database::sqlite()).await;
    assert!(refused(&place, "too short").await.contains("9 bytes"));
    assert!(refused(&place, &"x".repeat(1_025)).await.contains("1025 bytes"));
    std::fs::write(place.file("there"), "precious").unwrap();
    let error = place.export("there").await.unwrap_err();
    assert!(matches!(error, ExportError::Exists(_)), "{error}");
    assert_eq!(std::fs::read_to_string(place.file("there")).unwrap(), "precious");
    let error = place.export("no/such/folder").await.unwrap_err();
    assert!(
        matches!(error, ExportError::File { .. }) && error.to_string().contains("no/such/folder"),
        "{error}"
    );

    let aside = place.file("aside");
    for key in [&place.installation.jwt_key_file, &place.installation.settings_key_file] {
        std::fs::rename(key, &aside).unwrap();
        assert!(refused(&place, PASSPHRASE).await.contains("is missing"));
        std::fs::write(key, "something else").unwrap();
        refused(&place, PASSPHRASE).await;
        std::fs::rename(&aside, key).unwrap();
    }
    let digest = Digest::of(&module("teapot 1"));
    place.installation.blobs.delete(&digest).await.unwrap();
    let said = refused(&place, PASSPHRASE).await;
    assert!(
        said.contains(&digest.to_string()) && said.contains("version 1 of ada's handler teapot"),
        "{said}"
    );
    place.installation.blobs.put(&digest, module("teapot 1")).await.unwrap();
    place.export("export").await.unwrap();
    assert_eq!(check(PASSPHRASE, &place.file("export")).await.unwrap().modules, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_begins_again_when_a_handler_is_deleted_before_its_modules_are_read() {
    let place = Place::furnished(Database::sqlite()).await;
    let core = place.core().await;
    let eve = place.user(&core, "eve").await;
    let names = ["one", "two", "three", "four"];
    for name in names {
        place.deploys(&core, &eve, &format!("a-{name}"), &[]).await;
    }
    let handlers = |names: &[&'static str]| {
        let named = names.iter().map(|name| (*name, Digest::of(&module(&format!("{name} 1")))));
        named.collect::<Vec<_>>()
    };
    // Which is deleted first is a matter of digests: all of them, one in each attempt, are more than are made.
    let vanishing = |names: &[&'static str]| {
        let (installation, owner) = (place.installation.clone(), eve.clone());
        let blobs = Vanishing { installation, owner, handlers: handlers(names), gone: AtomicU32::new(0) };
        Installation { blobs: Arc::new(blobs), ..place.installation.clone() }
    };
    let some = vanishing(&["a-one", "a-two"]);
    let summary = export(&some, PASSPHRASE, &place.file("export")).await.unwrap();
    assert_eq!(summary.modules, 4 + 2 * 2, "those of handlers that are still there");
    check(PASSPHRASE, &place.file("export")).await.unwrap();

    let too_often = {
        place.deploys(&core, &eve, "a-five", &[]).await;
        vanishing(&["a-three", "a-four", "a-five"])
    };
    let error = export(&too_often, PASSPHRASE, &place.file("none")).await.unwrap_err();
    assert!(matches!(error, ExportError::Changed) && error.hint().contains("again"), "{error}");
    assert!(!place.file("none").exists());
}
