//! Compiled modules on disk, each with an authentication code.
//!
//! An artifact is machine code that will run with this process's rights, so a file is loaded only
//! if its HMAC-SHA256 says that this installation wrote it, for this engine and this module. What
//! does not verify is deleted and made anew.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmcloud_wire::Digest;

const KEY_BYTES: usize = 32;
const CODE_BYTES: usize = 32;

/// A folder of artifacts for one engine.
pub(crate) struct Artifacts {
    dir: PathBuf,
    engine_key: String,
    key: [u8; KEY_BYTES],
}

/// An artifact that this installation made for this engine and this module.
pub(crate) struct Verified(Vec<u8>, usize);

impl Verified {
    /// What was just compiled.
    pub(crate) fn fresh(bytes: Vec<u8>) -> Verified {
        Verified(bytes, 0)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.get(self.1..).unwrap_or_default()
    }
}

impl Artifacts {
    /// Opens the folder, makes it and its key if need be.
    ///
    /// # Errors
    ///
    /// The folder or the key cannot be read or written.
    pub(crate) fn open(dir: &Path, engine_key: String) -> io::Result<Artifacts> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let key = read_or_make_key(&dir.join("artifact.key"))?;
        Ok(Artifacts { dir: dir.to_owned(), engine_key, key })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let engine = Digest::of(self.engine_key.as_bytes()).to_string();
        let engine = engine.get(..16).unwrap_or_default().to_owned();
        self.dir.join(engine).join(digest.to_string())
    }

    fn mac(&self, digest: &Digest, artifact: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).ok()?;
        mac.update(&(self.engine_key.len() as u64).to_le_bytes());
        mac.update(self.engine_key.as_bytes());
        mac.update(digest.as_bytes());
        mac.update(artifact);
        Some(mac)
    }

    /// The artifact of a module, if there is one that verifies.
    pub(crate) fn load(&self, digest: &Digest) -> Option<Verified> {
        let path = self.path(digest);
        let file = fs::read(&path).ok()?;
        let verified = file.split_at_checked(CODE_BYTES).is_some_and(|(code, artifact)| {
            self.mac(digest, artifact).is_some_and(|mac| mac.verify_slice(code).is_ok())
        });
        if verified {
            // When it was last loaded: what is not, for long, is deleted (`disk.rs`). In vain on a disk that
            // takes no changes, where nothing is deleted either.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            return Some(Verified(file, CODE_BYTES));
        }
        tracing::warn!(%digest, "compiled artifact does not verify; it is made anew");
        self.forget(digest);
        None
    }

    /// Keeps an artifact. A failure costs a later start some time and nothing else.
    pub(crate) fn keep(&self, digest: &Digest, artifact: &Verified) {
        if let Err(error) = self.try_keep(digest, artifact.bytes()) {
            tracing::warn!(%digest, %error, "compiled artifact could not be kept");
        }
    }

    fn try_keep(&self, digest: &Digest, artifact: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let dir = path.parent().unwrap_or(&self.dir);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mac = self.mac(digest, artifact).ok_or_else(|| io::Error::other("unusable key"))?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(artifact)?;
        file.persist(&path)?;
        Ok(())
    }

    /// Drops an artifact that turned out to be of no use.
    pub(crate) fn forget(&self, digest: &Digest) {
        if let Err(error) = fs::remove_file(self.path(digest))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%digest, %error, "useless artifact could not be deleted");
        }
    }
}

fn read_or_make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map_err(|_| {
            io::Error::other(format!("{} is not a key of {KEY_BYTES} bytes: delete it", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(path),
        Err(error) => Err(error),
    }
}

fn make_key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifacts(dir: &Path, engine: &str) -> Artifacts {
        Artifacts::open(dir, engine.to_owned()).unwrap()
    }

    #[test]
    fn an_artifact_is_loaded_as_it_was_kept_after_a_restart_too() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"module");
        artifacts(dir.path(), "a").keep(&digest, &Verified::fresh(b"machine code".to_vec()));
        assert_eq!(artifacts(dir.path(), "a").load(&digest).unwrap().bytes(), b"machine code");
    }

    #[test]
    fn an_artifact_is_young_again_when_it_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"module");
        let artifacts = artifacts(dir.path(), "a");
        artifacts.keep(&digest, &Verified::fresh(b"machine code".to_vec()));
        let age = || artifacts.path(&digest).metadata().unwrap().modified().unwrap().elapsed().unwrap();
        let hour = std::time::Duration::from_secs(3_600);
        let file = fs::File::open(artifacts.path(&digest)).unwrap();
        file.set_modified(SystemTime::now() - hour).unwrap();
        assert!(age() >= hour);
        artifacts.load(&digest).unwrap();
        assert!(age() < hour);
    }

    #[test]
    fn what_was_tampered_with_or_cut_off_is_not_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let digest = Digest::of(b"module");
        let artifacts = artifacts(dir.path(), "a");
        let path = artifacts.path(&digest);
        artifacts.keep(&digest, &Verified::fresh(b"machine code".to_vec()));
        let good = fs::read(&path).unwrap();
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            fs::write(&path, bad).unwrap();
            assert!(artifacts.load(&digest).is_none(), "byte {i}");
            fs::write(&path, &good[..i]).unwrap();
            assert!(artifacts.load(&digest).is_none(), "cut at {i}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn another_engine_another_module_or_another_key_finds_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (digest, other) = (Digest::of(b"module"), Digest::of(b"other"));
        let first = artifacts(dir.path(), "a");
        first.keep(&digest, &Verified::fresh(b"machine code".to_vec()));
        assert!(artifacts(dir.path(), "b").load(&digest).is_none());
        fs::copy(first.path(&digest), first.path(&other)).unwrap();
        assert!(first.load(&other).is_none());
        fs::remove_file(dir.path().join("artifact.key")).unwrap();
        assert!(artifacts(dir.path(), "a").load(&digest).is_none());
    }
}
