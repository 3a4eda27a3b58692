//! What a platform keeps, and where: SQLite and a folder, or PostgreSQL and S3.

use std::path::Path;
use std::sync::Arc;

use sqlx::{Connection as _, PgConnection, Row as _, SqliteConnection};
use wasmcloud_testkit::Cluster;
use wasmcloud_testkit::s3::S3Server;

use super::{Platform, Shape, block_on, files};

/// Where a platform keeps things.
pub(super) enum Keeping {
    /// In the data directory.
    Folder,
    /// In servers.
    Servers { cluster: Arc<Cluster>, database: String, storage: S3Server },
}

impl Keeping {
    /// A database of the server that all tests share.
    pub(super) fn shared(shape: Shape) -> Keeping {
        Keeping::on(shape, Cluster::shared)
    }

    /// A database server of its own.
    pub(super) fn apart(shape: Shape) -> Keeping {
        Keeping::on(shape, || Arc::new(Cluster::start()))
    }

    fn on(shape: Shape, cluster: impl FnOnce() -> Arc<Cluster>) -> Keeping {
        if shape == Shape::Serve {
            return Keeping::Folder;
        }
        let cluster = cluster();
        let database = block_on(cluster.create_database());
        Keeping::Servers { cluster, database, storage: S3Server::start() }
    }

    /// The flags of `api` that lead there.
    pub(super) fn flags(&self, folder: &Path) -> Vec<String> {
        let Keeping::Servers { database, storage, .. } = self else { return Vec::new() };
        let keys = folder.join("storage-key");
        std::fs::write(&keys, format!("{}\n{}\n", storage.access_key(), storage.secret_key())).unwrap();
        [
            ("--database", database.as_str()),
            ("--storage", &storage.url("modules")),
            ("--storage-endpoint", storage.endpoint()),
            ("--storage-key-file", keys.to_str().unwrap()),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value.to_owned()])
        .collect()
    }
}

impl Platform {
    /// The database server, where the platform has one.
    pub fn cluster(&self) -> &Cluster {
        match &self.keeping {
            Keeping::Servers { cluster, .. } => cluster,
            Keeping::Folder => panic!("this shape has no database server"),
        }
    }

    /// The storage server, where the platform has one.
    pub fn storage(&self) -> &S3Server {
        match &self.keeping {
            Keeping::Servers { storage, .. } => storage,
            Keeping::Folder => panic!("this shape has no storage server"),
        }
    }

    /// The modules that are stored.
    pub fn modules(&self) -> Vec<String> {
        match &self.keeping {
            Keeping::Servers { storage, .. } => storage.objects(),
            Keeping::Folder => files(&self.data().join("modules"))
                .into_iter()
                .map(|path| path.to_str().unwrap().to_owned())
                .collect(),
        }
    }

    /// Something that is another after each commit.
    pub fn commits(&self) -> String {
        match &self.keeping {
            Keeping::Servers { database, .. } => block_on(async {
                let mut connection = PgConnection::connect(database).await.unwrap();
                let all = "SELECT (SELECT count(*) FROM changes) + (SELECT count(*) FROM versions)";
                let row = sqlx::query(all).fetch_one(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                row.get::<i64, _>(0).to_string()
            }),
            Keeping::Folder => {
                let log = self.data().join("wasmcloud.sqlite-wal");
                format!("{:?}", log.metadata().unwrap().modified().unwrap())
            }
        }
    }

    /// Expects that what is kept is whole, while no process of the platform runs.
    #[track_caller]
    pub fn keeps_everything_whole(&self) {
        match &self.keeping {
            Keeping::Servers { database, .. } => block_on(every_module_is_there(database, &self.modules())),
            Keeping::Folder => {
                let said = block_on(integrity(&self.data().join("wasmcloud.sqlite")));
                assert_eq!(said, "ok");
            }
        }
    }
}

/// Every version that somebody can call has its module.
async fn every_module_is_there(database: &str, stored: &[String]) {
    let mut connection = PgConnection::connect(database).await.unwrap();
    let sql = "SELECT DISTINCT encode(v.digest, 'hex') FROM versions v
        JOIN handlers h ON h.id = v.handler_id WHERE h.deleted_at IS NULL";
    for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let digest: String = row.get(0);
        assert!(stored.iter().any(|name| name.contains(&digest)), "{digest} is not among {stored:?}");
    }
    connection.close().await.unwrap();
}

/// What SQLite says of its file while nobody else has it.
async fn integrity(path: &Path) -> String {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut database = SqliteConnection::connect_with(&options).await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut database).await.unwrap();
    let said = row.get::<String, _>(0);
    database.close().await.unwrap();
    said
}
