//! What happens when several do the same at once, and when something is wrong with the database.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use futures::future::join_all;
use wasmcloud_api::store::{CreateHandler, LogQuery, SqliteStore, StoreError};
use wasmcloud_wire::{HandlerId, HandlerName, InvocationId, Record, Timestamp, VersionNumber};

use crate::database::{Database, on_both_databases};
use crate::store_story::records::{line, receipt};
use crate::store_story::{FITS, NOW, added, created, later, module, new_handler, new_user};

on_both_databases!(
    of_many_who_create_one_name_exactly_one_wins,
    many_uploads_at_once_get_numbers_without_gap_or_collision,
    many_batches_of_the_same_records_at_once_keep_each_once,
    a_follower_misses_no_line_however_many_write_at_once,
    a_large_batch_is_kept_whole,
    several_processes_may_start_at_once,
    everything_is_there_after_opening_again,
    a_newer_database_is_refused_and_left_alone,
    a_database_that_fails_is_unavailable,
    a_version_cannot_be_changed_behind_the_stores_back,
    changes_that_nobody_reads_any_more_are_swept,
);

/// How many do the same at once.
const CROWD: usize = 20;

fn cups() -> HandlerName {
    "one-of-cups".parse().unwrap()
}

/// A query for all that a test of this file keeps.
fn everything() -> LogQuery {
    LogQuery { since: None, invocation: None, after: None, limit: 10_000 }
}

/// An invocation's record with so many lines.
fn record(handler: HandlerId, lines: u32) -> Record {
    let invocation = InvocationId::new();
    Record {
        handler,
        invocation,
        lines: (0..lines).map(|seq| line(invocation, seq, NOW, "a line")).collect(),
        receipt: Some(receipt(handler, invocation, NOW)),
        recording: None,
    }
}

/// Runs a crowd's tasks at once and waits for all.
async fn at_once<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let running: Vec<_> = tasks.map(tokio::spawn).collect();
    join_all(running).await.into_iter().map(Result::unwrap).collect()
}

async fn of_many_who_create_one_name_exactly_one_wins(database: Database) {
    let store = database.open().await.unwrap();
    let users =
        join_all((0..CROWD).map(|number| store.create_user(new_user(&format!("user-{number}"))))).await;
    let results = at_once(users.into_iter().map(|user| {
        let (store, new) = (store.clone(), new_handler(user.unwrap().id, "one-of-cups"));
        async move { store.create_handler(new, NOW).await.unwrap() }
    }))
    .await;
    let won = results.iter().filter(|result| matches!(result, CreateHandler::Created(_))).count();
    let lost = results.iter().filter(|result| matches!(result, CreateHandler::NameTaken)).count();
    assert_eq!((won, lost), (1, CROWD - 1));
}

async fn many_uploads_at_once_get_numbers_without_gap_or_collision(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    created(store.create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap());
    let numbers = at_once((0..CROWD).map(|number| {
        let store = store.clone();
        // Every other one has the same bytes.
        let module = module(&format!("upload {}", number / 2));
        async move {
            let row =
                added(store.add_version(ada, &cups(), module.clone(), None, None, &FITS).await.unwrap());
            assert_eq!(row.digest, module.digest, "its own version is live when it commits");
            row.live.0
        }
    }))
    .await;
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (2..=CROWD as u32 + 1).collect::<Vec<_>>());
    let versions = store.versions(ada, &cups()).await.unwrap().unwrap();
    assert_eq!(versions.len(), CROWD + 1);
    assert_eq!(versions.iter().filter(|version| version.live).count(), 1);
}

async fn many_batches_of_the_same_records_at_once_keep_each_once(database: Database) {
    // Two processes: within one, SQLite has one writer.
    let stores = [database.open().await.unwrap(), database.open().await.unwrap()];
    let store = &stores[0];
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let handler = created(store.create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap()).id;
    let batch: Vec<Record> = (0..10).map(|_| record(handler, 10)).collect();
    let mut backwards = batch.clone();
    backwards.reverse();
    let batches = [Arc::new(batch), Arc::new(backwards)];
    at_once((0..CROWD).map(|number| {
        let (store, batch) = (stores[number % 2].clone(), batches[number / 2 % 2].clone());
        async move { store.record(&batch).await.unwrap() }
    }))
    .await;
    assert_eq!(store.log_lines(handler, &everything()).await.unwrap().len(), 100);
    assert_eq!(store.receipts(handler, &everything()).await.unwrap().len(), 10);
}

async fn a_follower_misses_no_line_however_many_write_at_once(database: Database) {
    let stores = [database.open().await.unwrap(), database.open().await.unwrap()];
    let ada = stores[0].create_user(new_user("ada")).await.unwrap().id;
    let handler = created(stores[0].create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap()).id;
    let writing = tokio::spawn(at_once((0..CROWD).map(move |number| {
        let store = stores[number % 2].clone();
        // Large and small ones, so that they overtake each other.
        let lines = if number % 2 == 0 { 100 } else { 1 };
        async move {
            for _ in 0..3 {
                store.record(&[record(handler, lines)]).await.unwrap();
            }
        }
    })));

    let follower = database.open().await.unwrap();
    let (mut after, mut seen, mut over) = (0, 0, false);
    while !over {
        over = writing.is_finished();
        let query = LogQuery { after: Some(after), ..everything() };
        let lines = follower.log_lines(handler, &query).await.unwrap();
        seen += lines.len();
        after = lines.last().map_or(after, |line| line.position);
    }
    writing.await.unwrap();
    assert_eq!(seen, CROWD / 2 * 3 * 101);
}

async fn a_large_batch_is_kept_whole(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    let handler = created(store.create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap()).id;
    let batch: Vec<Record> = (0..1_201).map(|_| record(handler, 5)).collect();
    store.record(&batch).await.unwrap();

    let lines = store.log_lines(handler, &everything()).await.unwrap();
    assert_eq!(lines.len(), 6_005);
    let expected: Vec<_> = batch.iter().flat_map(|record| record.lines.clone()).collect();
    assert!(lines.into_iter().map(|line| line.record).eq(expected), "in the order of the batch");
    assert_eq!(store.receipts(handler, &everything()).await.unwrap().len(), 1_201);
    assert_eq!(store.prune(later(i64::from(u32::MAX)), 0).await.unwrap(), 6_005 + 1_201, "in several bites");
}

async fn several_processes_may_start_at_once(database: Database) {
    let opened = join_all((0..4).map(|_| database.open())).await;
    for store in opened {
        store.unwrap().ping().await.unwrap();
    }
}

async fn everything_is_there_after_opening_again(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap();
    let old = created(store.create_handler(new_handler(ada.id, "one-of-cups"), NOW).await.unwrap());
    store.record(&[record(old.id, 3)]).await.unwrap();
    let positions = store.last_positions().await.unwrap();

    // The first one is still open, as after a kill -9: nothing was tidied up.
    let again = database.open().await.unwrap();
    assert_eq!(again.user_by_name(&ada.name).await.unwrap().unwrap().0, ada);
    let row = again.handler(ada.id, &cups()).await.unwrap().unwrap();
    assert_eq!((row.id, row.live, row.updated_at), (old.id, VersionNumber(1), old.updated_at));
    assert_eq!(again.last_positions().await.unwrap(), positions);
}

async fn a_newer_database_is_refused_and_left_alone(database: Database) {
    drop(database.open().await.unwrap());
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
        SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1;
        UPDATE schema_floor SET migration = 9999;
        DROP TABLE log_lines";
    database.sql(newer).await.unwrap();

    let refused = database.open().await.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Newer { found: 9999, .. }), "{refused:?}");
    assert!(refused.to_string().contains("newer wasmcloud (migration 9999"), "{refused}");
    let table = database.sql("SELECT * FROM log_lines").await;
    assert!(table.is_err(), "nothing was made again");
}

async fn a_database_that_fails_is_unavailable(database: Database) {
    let store = database.open().await.unwrap();
    database.sql("DROP TABLE log_lines").await.unwrap();
    let failed = store.last_positions().await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
}

async fn a_version_cannot_be_changed_behind_the_stores_back(database: Database) {
    let store = database.open().await.unwrap();
    let ada = store.create_user(new_user("ada")).await.unwrap().id;
    created(store.create_handler(new_handler(ada, "one-of-cups"), NOW).await.unwrap());
    let refused = database.sql("UPDATE versions SET number = 7").await.unwrap_err();
    assert!(refused.to_string().contains("a version never changes"), "{refused}");
}

async fn changes_that_nobody_reads_any_more_are_swept(database: Database) {
    let store = database.open().await.unwrap();
    let many = "INSERT INTO changes (kind, name)
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 10005)
        SELECT 'handler', 'made-' || n FROM numbers";
    database.sql(many).await.unwrap();
    let last = store.last_change().await.unwrap();
    // However far in the past or the future the clock is.
    assert_eq!(store.sweep_expired(later(0)).await.unwrap(), 5);
    assert_eq!(store.sweep_expired(Timestamp(i64::MAX)).await.unwrap(), 0);
    assert_eq!(store.last_change().await.unwrap(), last);
    let kept = store.changes_after(0, 20_000).await.unwrap();
    assert_eq!((kept.len(), kept[0].position), (10_000, last - 9_999));
}

#[tokio::test]
async fn sqlites_files_are_for_their_owner_only_even_if_they_were_open_before() {
    let database = Database::sqlite();
    std::fs::write(database.file(), "").unwrap();
    std::fs::set_permissions(database.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let _store = database.open().await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let file = format!("{}{suffix}", database.file().display());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_database_file_that_cannot_be_made_says_why_and_what_to_do() {
    // Nobody, root included, may make a file in /sys.
    let refused = SqliteStore::open("/sys/wasmcloud.db".as_ref()).await.unwrap_err();
    let text = refused.to_string();
    assert!(matches!(refused, StoreError::Open { .. }), "{refused:?}");
    assert!(text.contains("cannot open the database /sys/wasmcloud.db") && text.contains("--data"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let refused = SqliteStore::open(&folder.path().join("missing/wasmcloud.db")).await.unwrap_err();
    assert!(refused.to_string().contains("make its folder first"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let database = Database::sqlite();
    let text = "a diary, and no database\n".repeat(100);
    std::fs::write(database.file(), &text).unwrap();
    let refused = database.open().await.map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Open { .. }), "{refused:?}");
    assert_eq!(std::fs::read_to_string(database.file()).unwrap(), text);
}
