//! Schemas of other versions than this program's: brought up to date, worked with, or refused.

use futures::future::join_all;
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use wasmcloud_api::store::{Migrated, PostgresStore, Schema, SqliteStore, StoreError};

use crate::database::{Database, on_both_databases};
use crate::store_story;

on_both_databases!(
    one_of_many_who_start_at_once_brings_it_up_to_date,
    a_schema_that_has_to_be_there_is_not_made,
    a_newer_schema_is_worked_with_above_its_floor_alone,
    statements_of_the_version_before_work_on_the_new_schema,
);

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

/// The newest migration.
fn newest() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap()
}

async fn migrate(database: &Database) -> Result<Migrated, StoreError> {
    match database {
        Database::Sqlite(_) => SqliteStore::migrate(&database.file()).await,
        Database::Postgres { url, .. } => PostgresStore::migrate(url).await,
    }
}

async fn open_as_it_is(database: &Database) -> Result<(), StoreError> {
    match database {
        Database::Sqlite(_) => SqliteStore::open_as(&database.file(), Schema::Require).await.map(drop),
        Database::Postgres { url, .. } => PostgresStore::connect_as(url, Schema::Require).await.map(drop),
    }
}

/// Brings an empty database to an old migration, as the version that had no newer one did.
async fn migrate_to(database: &Database, version: i64) {
    match database {
        Database::Sqlite(_) => {
            let url = format!("sqlite://{}?mode=rwc", database.file().display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            SQLITE.run_to(version, &mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Database::Postgres { url, .. } => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            POSTGRES.run_to(version, &mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

async fn one_of_many_who_start_at_once_brings_it_up_to_date(database: Database) {
    let migrated = join_all((0..8).map(|_| migrate(&database))).await;
    let mut migrated: Vec<_> = migrated.into_iter().map(|migrated| migrated.unwrap()).collect();
    migrated.sort_by_key(|migrated| migrated.from);
    assert_eq!(migrated[0], Migrated { from: 0, to: newest() });
    for other in &migrated[1..] {
        assert_eq!(*other, Migrated { from: newest(), to: newest() }, "nothing was left to do");
    }
}

async fn a_schema_that_has_to_be_there_is_not_made(database: Database) {
    let refused = open_as_it_is(&database).await.unwrap_err();
    assert!(matches!(refused, StoreError::Older { found: 0, .. }), "{refused:?}");
    if let Database::Sqlite(_) = database {
        assert!(!database.file().exists());
    }
    migrate_to(&database, newest() - 1).await;
    let refused = open_as_it_is(&database).await.unwrap_err();
    assert!(matches!(refused, StoreError::Older { found, .. } if found == newest() - 1), "{refused:?}");
    assert!(refused.to_string().contains("wasmcloud migrate"), "{refused}");

    assert_eq!(migrate(&database).await.unwrap(), Migrated { from: newest() - 1, to: newest() });
    open_as_it_is(&database).await.unwrap();
}

/// What a migration of tomorrow does that programs of today can live with.
const OF_TOMORROW: &str = "ALTER TABLE handlers ADD COLUMN of_tomorrow INTEGER;
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

async fn a_newer_schema_is_worked_with_above_its_floor_alone(database: Database) {
    drop(database.open().await.unwrap());
    database.sql(OF_TOMORROW).await.unwrap();
    open_as_it_is(&database).await.unwrap();
    assert_eq!(migrate(&database).await.unwrap(), Migrated { from: 9999, to: 9999 });
    store_story::story(database.open().await.unwrap().as_ref()).await;

    database.sql("UPDATE schema_floor SET migration = 9999").await.unwrap();
    for refused in [
        open_as_it_is(&database).await.unwrap_err(),
        migrate(&database).await.unwrap_err(),
        database.open().await.map(drop).unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::Newer { found: 9999, .. }), "{refused:?}");
    }
}

/// What the version with migration 3 wrote for a user with a handler, and for a request to it. `#` is a digit that
/// makes it another one's.
const STATEMENTS_OF_3: &str = "
    INSERT INTO users (id, name, password_hash, is_admin) VALUES (ID-1, 'ada-#', '$argon2id$', FALSE);
    INSERT INTO modules (digest, size_bytes, abi, inspection) VALUES (DIGEST, 3, 'olin', '{}')
        ON CONFLICT (digest) DO NOTHING;
    BEGIN;
    INSERT INTO handlers
            (id, owner_id, name, forward_authorization, policy, live_version, last_version, created_at, updated_at)
        VALUES (ID-2, ID-1, 'cups-#', FALSE, '{}', 1, 1, 1600000000000, 1600000000000)
        ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING;
    INSERT INTO versions (handler_id, number, digest) VALUES (ID-2, 1, DIGEST);
    COMMIT;
    INSERT INTO handler_settings (handler_id, name, secret, key_id, sealed)
        VALUES (ID-2, 'KEY', TRUE, 'the key', DIGEST)
        ON CONFLICT (handler_id, name) DO UPDATE
        SET secret = excluded.secret, key_id = excluded.key_id, sealed = excluded.sealed;
    INSERT INTO versions (handler_id, number, digest) VALUES (ID-2, 2, DIGEST);
    UPDATE handlers SET live_version = 2, last_version = 2 WHERE id = ID-2;
    INSERT INTO invocations (id, handler_id, started_at, receipt) VALUES (ID-3, ID-2, 1600000000000, '{}')
        ON CONFLICT DO NOTHING;
    INSERT INTO log_lines (handler_id, invocation_id, seq, at, level, source, text)
        VALUES (ID-2, ID-3, 0, 1600000000000, 3, 'log', 'a line') ON CONFLICT DO NOTHING;
    INSERT INTO tokens (id, user_id, label, expires_at) VALUES (ID-1, ID-1, 'token', 1600000000000);
    UPDATE tokens SET revoked_at = 1600000000000 WHERE id = ID-1";

/// These statements, in a database's own words.
fn statements_of_3(database: &Database, digit: u8) -> String {
    let mut text = STATEMENTS_OF_3.replace('#', &digit.to_string());
    for number in 1..=3 {
        let hex = format!("{:032x}", u32::from(digit) * 10 + number);
        let id = match database {
            Database::Sqlite(_) => format!("x'{hex}'"),
            Database::Postgres { .. } => format!("'{hex}'::uuid"),
        };
        text = text.replace(&format!("ID-{number}"), &id);
    }
    let digest = match database {
        Database::Sqlite(_) => format!("x'{}'", "00".repeat(32)),
        Database::Postgres { .. } => format!("'\\x{}'::bytea", "00".repeat(32)),
    };
    text.replace("DIGEST", &digest)
}

async fn statements_of_the_version_before_work_on_the_new_schema(database: Database) {
    migrate_to(&database, 3).await;
    database.sql(&statements_of_3(&database, 1)).await.unwrap();
    assert_eq!(migrate(&database).await.unwrap(), Migrated { from: 3, to: newest() });
    // The version before still runs somewhere.
    database.sql(&statements_of_3(&database, 2)).await.unwrap();

    // And what it writes is there for the new one, whose executors hear of it.
    let store = database.open().await.unwrap();
    for name in ["cups-1", "cups-2"] {
        let row = store.deployment(&name.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.version.0), (name, 2));
    }
    let changed: Vec<_> =
        store.changes_after(0, 100).await.unwrap().into_iter().map(|it| it.record).collect();
    assert!(changed.contains(&crate::feed::of("cups-2")), "{changed:?}");
}
