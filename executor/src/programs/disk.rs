//! Room on disk: compiled modules that were not loaded for long are deleted, and the oldest of the others where
//! they take too much. What is deleted is compiled again when it is needed.
//!
//! A file's time of modification says when it was last loaded: [`super::artifact`] sets it. Several processes may
//! share the folder; each may delete, and none minds that another has.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How long an artifact is kept that nobody loads.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How much all artifacts may take; the least recently loaded go first.
const DISK_BYTES_MAX: u64 = 10 << 30;
/// How much is written, and how much time passes at most, before it is looked at again: what is on disk for a
/// moment is this much more.
const WRITTEN_BYTES_MAX: u64 = 1 << 30;
const LOOK_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// The length of the name of an engine's folder.
const ENGINE_NAME_LEN: usize = 16;

/// What the artifacts of all engines may take.
#[derive(Clone, Copy, Debug)]
struct Room {
    unused_max: Duration,
    bytes_max: u64,
}

const USUAL: Room = Room { unused_max: UNUSED_MAX, bytes_max: DISK_BYTES_MAX };

/// The folder of all engines' artifacts, which is kept within its bounds.
pub(crate) struct Disk {
    dir: PathBuf,
    looked: Mutex<Looked>,
}

/// When it was looked at, and how much was written since.
struct Looked {
    at: Instant,
    written: u64,
}

impl Disk {
    /// Keeps a folder within its bounds, from now on.
    pub(crate) fn open(dir: &Path) -> Disk {
        tidy_within(dir, USUAL);
        Disk { dir: dir.to_owned(), looked: Mutex::new(Looked { at: Instant::now(), written: 0 }) }
    }

    /// Something was written. Looks at the folder if it is time to.
    pub(crate) fn written(&self, bytes: usize) {
        {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            looked.written = looked.written.saturating_add(bytes as u64);
            if looked.written < WRITTEN_BYTES_MAX && looked.at.elapsed() < LOOK_EVERY {
                return;
            }
            *looked = Looked { at: Instant::now(), written: 0 };
        }
        tidy_within(&self.dir, USUAL);
    }
}

struct Artifact {
    path: PathBuf,
    bytes: u64,
    unused: Duration,
}

fn tidy_within(dir: &Path, room: Room) {
    let mut found = artifacts(dir);
    // The most recently loaded first: those that fit stay.
    found.sort_by_key(|artifact| artifact.unused);
    let (mut kept_bytes, mut deleted, mut deleted_bytes) = (0_u64, 0_u64, 0_u64);
    for artifact in found {
        let with_it = kept_bytes.saturating_add(artifact.bytes);
        if artifact.unused <= room.unused_max && with_it <= room.bytes_max {
            kept_bytes = with_it;
        } else if fs::remove_file(&artifact.path).is_ok() {
            deleted += 1;
            deleted_bytes = deleted_bytes.saturating_add(artifact.bytes);
        }
    }
    if deleted > 0 {
        tracing::info!(
            deleted,
            deleted_bytes,
            kept_bytes,
            "deleted compiled modules that were not used for long"
        );
    }
}

/// Every file in every engine's folder. What cannot be read is passed over: it is looked at another time.
fn artifacts(dir: &Path) -> Vec<Artifact> {
    let now = SystemTime::now();
    let is_engine = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == ENGINE_NAME_LEN && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    let engines = entries(dir).map(|entry| entry.path()).filter(is_engine);
    let files = engines.flat_map(|engine| entries(&engine));
    files
        .filter_map(|entry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            let unused = now.duration_since(metadata.modified().ok()?).unwrap_or_default();
            Some(Artifact { path: entry.path(), bytes: metadata.len(), unused })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3_600);

    fn add(dir: &Path, name: &str, bytes: usize, unused: Duration) -> PathBuf {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![0; bytes]).unwrap();
        fs::File::open(&path).unwrap().set_modified(SystemTime::now() - unused).unwrap();
        path
    }

    #[test]
    fn what_was_not_loaded_for_long_goes_whichever_engine_it_is_of() {
        let dir = tempfile::tempdir().unwrap();
        let used = add(dir.path(), "0123456789abcdef/used", 10, 29 * DAY);
        let unused = add(dir.path(), "0123456789abcdef/unused", 10, 31 * DAY);
        let of_old_engine = add(dir.path(), "fedcba9876543210/old", 10, 31 * DAY);
        let key = add(dir.path(), "artifact.key", 32, 99 * DAY);
        let others = add(dir.path(), "gemini-hosts/mine", 10, 99 * DAY);
        Disk::open(dir.path());
        assert!(used.exists() && key.exists() && others.exists());
        assert!(!unused.exists() && !of_old_engine.exists());
    }

    #[test]
    fn of_what_takes_too_much_the_least_recently_loaded_goes() {
        let dir = tempfile::tempdir().unwrap();
        let paths =
            [3, 1, 4, 2].map(|days| add(dir.path(), &format!("0123456789abcdef/{days}"), 100, days * DAY));
        tidy_within(dir.path(), Room { bytes_max: 250, ..USUAL });
        assert_eq!(paths.map(|path| path.exists()), [false, true, false, true]);
    }

    #[test]
    fn it_is_looked_at_again_when_much_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path());
        let unused = add(dir.path(), "0123456789abcdef/unused", 10, 31 * DAY);
        disk.written(1_000);
        assert!(unused.exists());
        disk.written(usize::try_from(WRITTEN_BYTES_MAX).unwrap());
        assert!(!unused.exists());
    }
}
