//! Bringing a schema up to date, and what a program makes of one that is older or newer than itself.

use std::sync::LazyLock;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use super::backend::{Backend, Columns as _};
use crate::store::StoreError;

static SQLITE_MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| ours(sqlx::migrate!("../migrations/sqlite")));
static POSTGRES_MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| ours(sqlx::migrate!("../migrations/postgres")));

/// Whoever changes PostgreSQL's schema holds it until it is done. The number is this program's own.
const POSTGRES_MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(7730264)";
/// Whether there is a table of migrations.
pub const POSTGRES_COUNT_TABLE: &str = "SELECT count(*) FROM pg_catalog.pg_tables
    WHERE schemaname = current_schema() AND tablename = '_sqlx_migrations'";
/// The same, of SQLite.
pub const SQLITE_COUNT_TABLE: &str =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";

/// What is done about a schema that is older than this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It is brought up to date.
    Migrate,
    /// It is refused.
    Require,
}

/// What bringing a schema up to date did: its newest migrations before and after. They are the same where there
/// was nothing to do, and the first is 0 where there was no schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Before.
    pub from: i64,
    /// After.
    pub to: i64,
}

/// sqlx's own lock belongs to a session, which a pooler may give to somebody else before it is given back: ours
/// belongs to a transaction. Whether a newer program's migrations are in the way is for [`applied`] to say.
fn ours(mut migrator: Migrator) -> Migrator {
    migrator.set_locking(false).set_ignore_missing(true);
    migrator
}

/// Brings PostgreSQL's schema up to date, one process at a time.
pub async fn migrate_postgres(connection: &mut PgConnection) -> Result<Migrated, StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query(POSTGRES_MIGRATION_LOCK).execute(&mut *transaction).await?;
    let from = applied::<sqlx::Postgres>(&mut transaction, POSTGRES_COUNT_TABLE).await?;
    POSTGRES_MIGRATIONS.run(&mut *transaction).await.map_err(migration_error)?;
    transaction.commit().await?;
    Ok(Migrated { from, to: from.max(newest_known()) })
}

/// Brings SQLite's schema up to date: one transaction around all of it, so that two processes that start at once do not both make the same tables.
pub async fn migrate_sqlite(connection: &mut SqliteConnection) -> Result<Migrated, StoreError> {
    let mut transaction = connection.begin_with(<sqlx::Sqlite as Backend>::BEGIN_WRITE).await?;
    let from = applied::<sqlx::Sqlite>(&mut transaction, SQLITE_COUNT_TABLE).await?;
    SQLITE_MIGRATIONS.run(&mut *transaction).await.map_err(migration_error)?;
    transaction.commit().await?;
    Ok(Migrated { from, to: from.max(newest_known()) })
}

/// A schema that has to be there already.
pub async fn required<B: Backend>(
    connection: &mut B::Connection,
    count_table: &'static str,
) -> Result<Migrated, StoreError> {
    let (found, known) = (applied::<B>(connection, count_table).await?, newest_known());
    match found < known {
        true => Err(StoreError::Older { found, known }),
        false => Ok(Migrated { from: found, to: found }),
    }
}

/// The newest migration that a database has, 0 if it has none. Refuses a schema that is too new.
///
/// One with newer migrations is not too new as long as this program has the one that `schema_floor` names: so the
/// replicas of an installation can be replaced one after the other.
pub async fn applied<B: Backend>(
    connection: &mut B::Connection,
    count_table: &'static str,
) -> Result<i64, StoreError> {
    if number::<B>(connection, count_table).await? != Some(1) {
        return Ok(0);
    }
    let known = newest_known();
    let found =
        number::<B>(connection, "SELECT max(version) FROM _sqlx_migrations").await?.unwrap_or_default();
    if found > known {
        // Every schema that is newer than this program's has the table.
        match number::<B>(connection, "SELECT max(migration) FROM schema_floor").await? {
            Some(floor) if floor <= known => {
                tracing::warn!(found, known, "the database was brought up to date by a newer wasmcloud");
            }
            _ => return Err(StoreError::Newer { found, known }),
        }
    }
    Ok(found)
}

/// The number that a query gives.
async fn number<B: Backend>(
    connection: &mut B::Connection,
    sql: &'static str,
) -> Result<Option<i64>, StoreError> {
    Ok(B::rows(connection, sql, &[]).await?.first().map(|row| row.maybe_int(0)).transpose()?.flatten())
}

/// The newest migration that this program has, for either database.
pub fn newest_known() -> i64 {
    newest(&SQLITE_MIGRATIONS)
}

fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
}

fn migration_error(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => error.into(),
        other => StoreError::Migration(Box::new(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations_and_the_program_has_all_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let files = |database: &str| {
            let entries = std::fs::read_dir(folder.join(database)).unwrap();
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let embedded = |migrations: &Migrator| {
            let name = |version: i64, words: &str| format!("{version:04}_{}.sql", words.replace(' ', "_"));
            migrations.iter().map(|found| name(found.version, &found.description)).collect::<Vec<_>>()
        };
        assert_eq!(files("sqlite"), files("postgres"));
        assert_eq!(embedded(&SQLITE_MIGRATIONS), files("sqlite"));
        assert_eq!(embedded(&POSTGRES_MIGRATIONS), files("postgres"));
    }
}
