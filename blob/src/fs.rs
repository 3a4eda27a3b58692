//! Bytes in a folder: `ab/cd/abcd…`, one file an object.
//!
//! A file is written under a temporary name beside its final one, synced, renamed, and the folder
//! synced: after a crash there is the whole object or none. The writer holds a lock on its
//! temporary file, so that another process, which shares the folder and starts meanwhile, can tell
//! it from what a crash left behind.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use wasmcloud_wire::Digest;

use crate::{BlobError, Blobs, Stored};

/// What the names of temporary files begin with. No digest does.
const TEMPORARY_PREFIX: &str = ".tmp-";

/// Bytes in a folder of this machine.
#[derive(Clone, Debug)]
pub struct FsBlobs {
    root: PathBuf,
}

impl FsBlobs {
    /// Opens a folder, makes it (for its owner only) where there is none, removes what a crash left
    /// half written in it, and tries whether it can be written to.
    pub async fn open(root: impl Into<PathBuf>) -> Result<FsBlobs, BlobError> {
        let blobs = FsBlobs { root: root.into() };
        let root = blobs.root.clone();
        blocking(&blobs.root, move || {
            make_folder(&root)?;
            try_writing(&root)?;
            remove_leftovers(&root)
        })
        .await?;
        Ok(blobs)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        let (first, second) = (name.get(..2).unwrap_or_default(), name.get(2..4).unwrap_or_default());
        self.root.join(first).join(second).join(&name)
    }
}

#[async_trait]
impl Blobs for FsBlobs {
    async fn put(&self, digest: &Digest, bytes: Bytes) -> Result<(), BlobError> {
        let (path, expected) = (self.path(digest), *digest);
        blocking(&self.root, move || {
            let actual = Digest::of(&bytes);
            if actual != expected {
                return Err(BlobError::Mismatch { expected, actual });
            }
            write_whole(&path, &bytes)
        })
        .await
    }

    async fn get(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        let (path, digest) = (self.path(digest), *digest);
        blocking(&self.root, move || {
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(source) => return Err(BlobError::Io { action: "read", path, source }),
            };
            let actual = Digest::of(&bytes);
            if actual != digest {
                tracing::error!(module.digest = %digest, actual.digest = %actual, file = %path.display(),
                    "a stored module is damaged");
                return Err(BlobError::Corrupt { digest, actual });
            }
            Ok(Some(Bytes::from(bytes)))
        })
        .await
    }

    async fn delete(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.path(digest);
        blocking(&self.root, move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(BlobError::io("delete", &path, error))
            }
            _ => Ok(()),
        })
        .await
    }

    async fn list(&self) -> Result<Vec<Stored>, BlobError> {
        let root = self.root.clone();
        blocking(&self.root, move || {
            let now = SystemTime::now();
            let mut found = Vec::new();
            for_each_file(&root, |path, name| {
                let Ok(digest) = name.parse::<Digest>() else { return Ok(()) };
                match path.metadata() {
                    Ok(metadata) => {
                        let put_at =
                            metadata.modified().map_err(|error| BlobError::io("read", path, error))?;
                        let age = now.duration_since(put_at).unwrap_or_default();
                        found.push(Stored { digest, size_bytes: metadata.len(), age });
                        Ok(())
                    }
                    // Deleted meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(BlobError::io("read", path, error)),
                }
            })?;
            Ok(found)
        })
        .await
    }

    async fn check(&self) -> Result<(), BlobError> {
        let root = self.root.clone();
        blocking(&self.root, move || try_writing(&root)).await
    }
}

/// Runs blocking work where it holds up nobody.
async fn blocking<T: Send + 'static>(
    root: &Path,
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(BlobError::io("use", root, io::Error::other(error))),
    }
}

/// A file with a temporary name, locked while this process writes it; gone when dropped, unless it
/// was renamed.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(folder: &Path) -> Result<Temporary, BlobError> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)
            .map_err(|error| BlobError::io("name a file in", folder, io::Error::other(error)))?;
        let path = folder.join(format!("{TEMPORARY_PREFIX}{}", hex::encode(random)));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| BlobError::io("write to", folder, error))?;
        let temporary = Temporary { path, file };
        temporary.file.lock().map_err(|error| BlobError::io("lock", &temporary.path, error))?;
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left under this name, and that is right.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), BlobError> {
    let Some(folder) = path.parent() else {
        return Err(BlobError::io("write", path, io::Error::other("the path has no folder")));
    };
    make_folder(folder)?;
    let temporary = Temporary::create(folder)?;
    write_synced(&temporary.file, bytes).map_err(|error| BlobError::io("write", path, error))?;
    std::fs::rename(&temporary.path, path).map_err(|error| BlobError::io("write", path, error))?;
    sync_folder(folder)
}

fn write_synced(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a folder and those above it that are missing, each written down in its parent for good.
fn make_folder(folder: &Path) -> Result<(), BlobError> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_folder(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // Another upload was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(BlobError::io("make the folder", folder, error)),
        Ok(()) => sync_folder(parent),
    }
}

fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(|error| BlobError::io("sync", folder, error))
}

fn try_writing(root: &Path) -> Result<(), BlobError> {
    Temporary::create(root).map(drop)
}

fn remove_leftovers(root: &Path) -> Result<(), BlobError> {
    let remove = |path: &Path, name: &str| {
        if name.starts_with(TEMPORARY_PREFIX) && is_abandoned(path) {
            tracing::info!(file = %path.display(), "removing a half-written module");
            // Whoever else removed it first is welcome.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    };
    for_each_in(root, |path, name| remove(path, name))?;
    for_each_file(root, remove)
}

/// Whether no process is writing this file any more.
fn is_abandoned(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock()) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock)) => false,
        Ok(Err(TryLockError::Error(error))) | Err(error) => {
            tracing::warn!(file = %path.display(), %error, "cannot tell whether a temporary file is in use");
            false
        }
    }
}

/// Visits every file two folders below the root.
fn for_each_file(
    root: &Path,
    mut visit: impl FnMut(&Path, &str) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    for_each_in(root, |first, name| {
        if !is_fan_out(name) {
            return Ok(());
        }
        for_each_in(
            first,
            |second, name| if is_fan_out(name) { for_each_in(second, &mut visit) } else { Ok(()) },
        )
    })
}

fn is_fan_out(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Visits what is in a folder; names that are no UTF-8 are not ours.
fn for_each_in(
    folder: &Path,
    mut visit: impl FnMut(&Path, &str) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    let failed = |error| BlobError::io("list", folder, error);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(name) = entry.file_name().to_str() {
            visit(&entry.path(), name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_an_error_of_its_own() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = write_synced(&full, b"module").unwrap_err();
        let error = BlobError::io("write", Path::new("/data/modules"), error);
        assert!(matches!(error, BlobError::Full { .. }), "{error:?}");
        assert!(error.to_string().contains("no room left at /data/modules"), "{error}");
    }
}
