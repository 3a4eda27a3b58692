//! A place of either kind, for one test, and what can be done to it behind its back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wasmcloud_blob::{Blobs, FsBlobs, S3Blobs, S3Config, S3Key, S3Patience};
use wasmcloud_testkit::s3::S3Server;

pub enum Place {
    Folder(TempDir),
    Bucket(S3Server),
}

impl Place {
    pub fn folder() -> Place {
        Place::Folder(tempfile::tempdir().unwrap())
    }

    pub fn bucket() -> Place {
        Place::Bucket(S3Server::start())
    }

    /// Opens it, as a process does when it starts.
    pub async fn open(&self) -> Arc<dyn Blobs> {
        match self {
            Place::Folder(folder) => {
                Arc::new(FsBlobs::open(folder.path().join("data/modules")).await.unwrap())
            }
            Place::Bucket(server) => Arc::new(S3Blobs::new(&config(server, "data/modules")).unwrap()),
        }
    }

    /// The files that objects are in.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Place::Folder(folder) => files(folder.path()),
            Place::Bucket(server) => files(&server.objects_folder()),
        }
    }

    /// Puts something there that is none of ours.
    pub fn add(&self, name: &str) {
        let root = match self {
            Place::Folder(folder) => folder.path().to_owned(),
            Place::Bucket(server) => server.objects_folder(),
        };
        let path = root.join("data/modules").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "mine").unwrap();
    }
}

/// Settings that give up soon.
pub fn config(server: &S3Server, prefix: &str) -> S3Config {
    let key = S3Key { id: server.access_key().to_owned(), secret: server.secret_key().to_owned() };
    S3Config {
        endpoint: Some(server.endpoint().to_owned()),
        region: Some(server.region().to_owned()),
        ca_pem: server.ca_pem().map(|pem| pem.as_bytes().to_owned()),
        patience: S3Patience {
            answer: Duration::from_secs(2),
            verb: Duration::from_secs(5),
            backoff: Duration::from_millis(10),
            ..S3Patience::default()
        },
        ..S3Config::new(server.url(prefix).parse().unwrap(), key)
    }
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Makes a file look as if it had been written earlier.
pub fn set_age(file: &Path, age: Duration) {
    std::fs::File::open(file).unwrap().set_modified(SystemTime::now() - age).unwrap();
}
