//! An empty database for one test, of either kind.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use tempfile::TempDir;
use wasmcloud_api::store::{PostgresStore, SqliteStore, Store, StoreError};
use wasmcloud_testkit::Cluster;

pub enum Database {
    Sqlite(TempDir),
    Postgres { url: String, _cluster: Arc<Cluster> },
}

impl Database {
    pub fn sqlite() -> Database {
        Database::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Database {
        let cluster = Cluster::shared();
        Database::Postgres { url: cluster.create_database().await, _cluster: cluster }
    }

    /// Opens the store, as a process does when it starts.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Database::Sqlite(_) => Arc::new(SqliteStore::open(&self.file()).await?),
            Database::Postgres { url, .. } => Arc::new(PostgresStore::connect(url).await?),
        })
    }

    /// Does something behind the store's back.
    pub async fn sql(&self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Database::Sqlite(_) => {
                let url = format!("sqlite://{}", self.file().display());
                let mut connection = SqliteConnection::connect(&url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Database::Postgres { url, .. } => {
                let mut connection = PgConnection::connect(url).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// SQLite's file.
    pub fn file(&self) -> PathBuf {
        match self {
            Database::Sqlite(folder) => folder.path().join("wasmcloud.db"),
            Database::Postgres { .. } => panic!("PostgreSQL has no such file"),
        }
    }
}

/// Makes of each named function `async fn name(database: Database)` a test over either database.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::database::Database::sqlite()).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    super::$name($crate::database::Database::postgres().await).await;
                }
            )*
        }
    };
}
pub(crate) use on_both_databases;
