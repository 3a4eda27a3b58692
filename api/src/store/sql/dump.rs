//! A whole installation, read in one snapshot and written in one transaction. Queries are made of the tables'
//! descriptions, whose names are constants of this program.

use std::path::Path;

use async_trait::async_trait;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Postgres, Sqlite, Transaction};
use wasmcloud_wire::Digest;

use super::backend::{Backend, Columns, begin, read};
use super::connect::{SNAPSHOT_WAIT, newest_known, postgres_options, unconnected, unusable};
use super::migrate::{POSTGRES_COUNT_TABLE, SQLITE_COUNT_TABLE, required};
use super::value::{Value, digest, values};
use super::{PostgresStore, SqlStore, SqliteStore};
use crate::store::StoreError;
use crate::store::dump::{Cell, Dump, DumpStore, Kind, Restore, Row, Table};

/// How many rows are read at once.
const ROWS_PER_READ: i64 = 200;

/// The newest migration that this program has, for either database.
pub(crate) fn newest_migration() -> i64 {
    newest_known()
}

impl SqliteStore {
    /// Opens a database file that is there to read it, and changes nothing in it; a server may be using it.
    pub async fn open_to_read(path: &Path) -> Result<SqliteStore, StoreError> {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(SNAPSHOT_WAIT);
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(SNAPSHOT_WAIT);
        let pool = pool.connect_with(options).await.map_err(|error| unusable(path, error))?;
        required::<Sqlite>(&mut *pool.acquire().await?, SQLITE_COUNT_TABLE).await?;
        Ok(SqlStore { read: pool.clone(), write: pool })
    }
}

impl PostgresStore {
    /// Connects to a database to read it, and changes nothing in it.
    pub async fn connect_to_read(url: &str) -> Result<PostgresStore, StoreError> {
        let (options, place) = postgres_options(url)?;
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(SNAPSHOT_WAIT);
        let pool = pool.connect_with(options).await.map_err(|error| unconnected(&place, error))?;
        required::<Postgres>(&mut *pool.acquire().await?, POSTGRES_COUNT_TABLE).await?;
        Ok(SqlStore { read: pool.clone(), write: pool })
    }
}

#[async_trait]
impl<B: Backend> DumpStore for SqlStore<B> {
    async fn dump(&self) -> Result<Box<dyn Dump>, StoreError> {
        let mut transaction = self.read.begin_with(B::BEGIN_SNAPSHOT).await?;
        check_schema::<B>(&mut transaction).await?;
        Ok(Box::new(SqlDump::<B>(transaction)))
    }

    async fn restore(&self) -> Result<Option<Box<dyn Restore>>, StoreError> {
        let mut transaction = begin(&self.write).await?;
        if let Some(lock) = B::LOCK_USERS {
            B::execute(&mut transaction, lock, &[]).await?;
        }
        check_schema::<B>(&mut transaction).await?;
        let rows = B::rows(&mut transaction, "SELECT count(*) FROM users", &[]).await?;
        match rows.first().map(|row| row.int(0)).transpose()? {
            Some(0) => {
                // Those that every new installation has: the ones of the export come instead.
                B::execute(&mut transaction, "DELETE FROM plans", &[]).await?;
                Ok(Some(Box::new(SqlRestore::<B>(transaction))))
            }
            _ => Ok(None),
        }
    }

    async fn users_of_module(&self, digest: &Digest) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT h.name, v.number, u.name FROM versions v JOIN handlers h ON h.id = v.handler_id
            JOIN users u ON u.id = h.owner_id WHERE v.digest = $1 AND h.deleted_at IS NULL
            ORDER BY h.name, v.number LIMIT 5";
        let rows = read(&self.read, sql, values![digest]).await?;
        let words = |row: &B::Row| {
            Ok(format!("version {} of {}'s handler {}", row.int(1)?, row.text(2)?, row.text(0)?))
        };
        rows.iter().map(words).collect()
    }
}

/// The database's newest migration, which has to be this program's.
async fn check_schema<B: Backend>(connection: &mut B::Connection) -> Result<(), StoreError> {
    let rows = B::rows(connection, "SELECT max(version) FROM _sqlx_migrations", &[]).await?;
    let found = rows.first().map(|row| row.maybe_int(0)).transpose()?.flatten().unwrap_or_default();
    let known = newest_known();
    match found {
        found if found > known => Err(StoreError::Newer { found, known }),
        found if found < known => Err(StoreError::Older { found, known }),
        _ => Ok(()),
    }
}

struct SqlDump<B: Backend>(Transaction<'static, B>);

#[async_trait]
impl<B: Backend> Dump for SqlDump<B> {
    async fn count(&mut self, table: &'static Table) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let rows = B::rows(&mut self.0, AssertSqlSafe(sql), &[]).await?;
        let count = rows.first().map(|row| row.int(0)).transpose()?.unwrap_or_default();
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn modules(&mut self) -> Result<Vec<(Digest, u64)>, StoreError> {
        let sql = "SELECT m.digest, m.size_bytes FROM modules m WHERE EXISTS (
                SELECT 1 FROM versions v JOIN handlers h ON h.id = v.handler_id
                WHERE v.digest = m.digest AND h.deleted_at IS NULL)
            ORDER BY m.digest";
        let rows = B::rows(&mut self.0, sql, &[]).await?;
        let module =
            |row: &B::Row| Ok((digest(&row.bytes(0)?)?, u64::try_from(row.int(1)?).unwrap_or_default()));
        rows.iter().map(module).collect()
    }

    async fn rows(&mut self, table: &'static Table, after: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let column = |place: &usize| table.columns.get(*place).map(|column| column.name);
        let key = table.key.iter().filter_map(column).collect::<Vec<_>>().join(", ");
        let columns = table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let mut values: Vec<Value<'_>> = Vec::new();
        let mut beyond = String::new();
        if let Some(after) = after {
            values.extend(table.key.iter().filter_map(|&place| after.get(place)).map(value));
            beyond = format!("WHERE ({key}) > ({})", placeholders(0, values.len()));
        }
        values.push(Value::Int(ROWS_PER_READ));
        let limit = values.len();
        let sql = format!("SELECT {columns} FROM {} {beyond} ORDER BY {key} LIMIT ${limit}", table.name);
        let rows = B::rows(&mut self.0, AssertSqlSafe(sql), &values).await?;
        rows.iter().map(|row| cells(table, row)).collect()
    }
}

struct SqlRestore<B: Backend>(Transaction<'static, B>);

#[async_trait]
impl<B: Backend> Restore for SqlRestore<B> {
    async fn insert(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), StoreError> {
        let columns = table.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
        let places = placeholders(0, table.columns.len());
        let sql = format!("INSERT INTO {} ({columns}) VALUES ({places})", table.name);
        for row in rows {
            let values: Vec<Value<'_>> = row.iter().map(value).collect();
            B::execute(&mut self.0, AssertSqlSafe(sql.clone()), &values).await?;
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        Ok(self.0.commit().await?)
    }
}

/// `$1, $2, …`, as many as there are values, after those that are taken.
fn placeholders(taken: usize, count: usize) -> String {
    (1..=count).map(|number| format!("${}", taken + number)).collect::<Vec<_>>().join(", ")
}

fn cells(table: &Table, row: &impl Columns) -> Result<Row, StoreError> {
    let cell = |(index, kind)| {
        Ok(match kind {
            Kind::Int => Cell::Int(Some(row.int(index)?)),
            Kind::MaybeInt => Cell::Int(row.maybe_int(index)?),
            Kind::Text => Cell::Text(Some(row.text(index)?)),
            Kind::MaybeText => Cell::Text(row.maybe_text(index)?),
            Kind::Uuid => Cell::Uuid(Some(row.uuid(index)?)),
            Kind::MaybeUuid => Cell::Uuid(row.maybe_uuid(index)?),
            Kind::Flag => Cell::Flag(row.flag(index)?),
            Kind::Bytes => Cell::Bytes(row.bytes(index)?),
        })
    };
    table.columns.iter().map(|column| column.kind).enumerate().map(cell).collect()
}

fn value(cell: &Cell) -> Value<'_> {
    match cell {
        Cell::Int(number) => Value::MaybeInt(*number),
        Cell::Text(text) => Value::MaybeText(text.as_deref()),
        Cell::Uuid(id) => Value::MaybeUuid(*id),
        Cell::Flag(flag) => Value::Flag(*flag),
        Cell::Bytes(bytes) => Value::Bytes(bytes),
    }
}
