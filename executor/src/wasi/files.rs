//! The files that came with a module: a folder of their own, which its guests see as `/` and cannot change.
//!
//! They lie beside the compiled module. A guest gets no path of the machine's: the folder is opened for it, and
//! nothing outside can be reached from there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What guests call the folder.
const ROOT: &str = "/";
/// Tells a whole folder from one whose making was cut short.
const WHOLE: &str = "files";

/// A module's files.
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    /// Lays files out in a folder, unless they are there already. Their paths were checked when they were read.
    ///
    /// # Errors
    ///
    /// The folder cannot be written.
    pub(crate) fn lay_out<'a>(
        dir: &Path,
        files: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> io::Result<Files> {
        let root = dir.join(WHOLE);
        if root.is_dir() {
            return Ok(Files { root });
        }
        fs::create_dir_all(dir)?;
        // Made beside it and renamed: what is there is whole.
        let making = tempfile::TempDir::new_in(dir)?;
        for (path, bytes) in files {
            let path = making.path().join(path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, bytes)?;
        }
        let making = making.keep();
        match fs::rename(&making, &root) {
            Ok(()) => Ok(Files { root }),
            Err(error) => {
                let removed = fs::remove_dir_all(&making);
                // Someone else laid out the same files at the same time.
                if root.is_dir() {
                    return removed.map(|()| Files { root });
                }
                Err(error)
            }
        }
    }

    /// Lets a guest read the files.
    pub(super) fn open_in(&self, builder: &mut WasiCtxBuilder) -> wasmtime::Result<()> {
        builder.preopened_dir(&self.root, ROOT, FsPerms::ReadOnly)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_laid_out_once_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("digest");
        let files = [("index.html", b"<p>".as_slice()), ("a/b/c.txt", b"c")];
        for _ in 0..2 {
            let laid_out = Files::lay_out(&dir, files.into_iter()).unwrap();
            assert_eq!(fs::read(laid_out.root.join("a/b/c.txt")).unwrap(), b"c");
        }
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "nothing is left beside them");
    }
}
