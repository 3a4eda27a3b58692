//! `--files DIR`: a folder's files, which go with the program.
//!
//! Names that begin with a dot are left out, files and folders alike: what `.git`, `.env` or `.ssh` hold is not
//! meant to be published. A link to a file is followed as long as it stays within the folder.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use wasmcloud_inspect::files::FILES_MAX;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

use crate::exit::Exit;
use crate::failure::Failure;

/// How deep folders may lie in each other.
const DEPTH_MAX: usize = 32;

/// The module with the folder's files in it; as it is without a folder.
pub fn with_files(module: Vec<u8>, folder: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let Some(folder) = folder else { return Ok(module) };
    let files = read(folder, UPLOAD_BYTES_MAX.saturating_sub(module.len()))?;
    let whole = wasmcloud_inspect::files::append(&module, &files).map_err(|error| {
        Failure::new(
            Exit::Module,
            "files",
            format!("{}: {error}", folder.display()),
            "change the folder's files",
        )
    })?;
    if whole.len() > UPLOAD_BYTES_MAX {
        return Err(too_large(folder));
    }
    Ok(whole)
}

/// A folder's files: their paths from it, with `/` between, and what they hold; sorted by path, so that the same
/// folder makes the same module.
fn read(folder: &Path, mut bytes_max: usize) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let root = folder.canonicalize().map_err(|error| unreadable(folder, &error))?;
    if !root.is_dir() {
        return Err(Failure::usage(
            format!("{} is no folder", folder.display()),
            "name a folder: --files DIR",
        ));
    }
    let mut paths = Vec::new();
    walk(&root, &root, 0, &mut paths)?;
    if paths.is_empty() {
        return Err(Failure::usage(
            format!("{} has no files; those whose names begin with a dot do not count", folder.display()),
            "leave --files out, or name another folder",
        ));
    }
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for (name, path) in paths {
        let file = std::fs::File::open(&path).map_err(|error| unreadable(&path, &error))?;
        let mut content = Vec::new();
        // One byte more than there is room for shows that there is no room.
        file.take(bytes_max as u64 + 1)
            .read_to_end(&mut content)
            .map_err(|error| unreadable(&path, &error))?;
        bytes_max = bytes_max.checked_sub(content.len()).ok_or_else(|| too_large(folder))?;
        files.push((name, content));
    }
    Ok(files)
}

fn walk(root: &Path, folder: &Path, depth: usize, found: &mut Vec<(String, PathBuf)>) -> Result<(), Failure> {
    if depth > DEPTH_MAX {
        return Err(refused(folder, &format!("is more than {DEPTH_MAX} folders deep")));
    }
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(refused(&path, "has a name that is not UTF-8"));
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        if kind.is_dir() {
            walk(root, &path, depth + 1, found)?;
            continue;
        }
        let target = if kind.is_symlink() { linked(root, &path)? } else { path.clone() };
        if !kind.is_file() && !target.is_file() {
            return Err(refused(&path, "is neither a file nor a folder"));
        }
        if found.len() == FILES_MAX {
            return Err(refused(root, &format!("has more than {FILES_MAX} files")));
        }
        found.push((relative(root, &path)?, target));
    }
    Ok(())
}

/// Where a link leads: to a file within the folder, by a way that no dot hides.
fn linked(root: &Path, link: &Path) -> Result<PathBuf, Failure> {
    let target = link.canonicalize().map_err(|error| unreadable(link, &error))?;
    let Ok(within) = target.strip_prefix(root) else {
        return Err(refused(link, "is a link that leads out of the folder"));
    };
    if target.is_dir() {
        return Err(refused(link, "is a link to a folder, which is not followed"));
    }
    if within.iter().any(|part| part.to_str().is_some_and(|part| part.starts_with('.'))) {
        return Err(refused(link, "is a link to a file that is left out, since its name begins with a dot"));
    }
    Ok(target)
}

fn relative(root: &Path, path: &Path) -> Result<String, Failure> {
    let parts = path.strip_prefix(root).unwrap_or(path).iter().map(|part| part.to_str());
    let parts: Option<Vec<&str>> = parts.collect();
    parts.map(|parts| parts.join("/")).ok_or_else(|| refused(path, "has a name that is not UTF-8"))
}

fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(
        Exit::Failure,
        "files",
        format!("{} {why}", path.display()),
        "put the files that the program reads into a folder of their own: --files DIR",
    )
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Failure, "file", format!("cannot read {}: {error}", path.display()), "check --files")
}

fn too_large(folder: &Path) -> Failure {
    Failure::new(
        Exit::Module,
        "over_limit",
        format!(
            "the program and the files of {} have more than {UPLOAD_BYTES_MAX} bytes, the upload limit",
            folder.display()
        ),
        "ship fewer or smaller files",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        read(folder, 1_000).unwrap().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_folders_files_come_in_order_and_without_what_a_dot_hides() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["b.txt", "a/z.txt", "a/deep/er.txt", ".env", ".git/config", "a/.hidden"] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        symlink(root.join("b.txt"), root.join("link.txt")).unwrap();
        assert_eq!(names(root), ["a/deep/er.txt", "a/z.txt", "b.txt", "link.txt"]);
        assert!(read(root, 3).unwrap_err().to_string().contains("33554432"), "four bytes are too many");
        assert_eq!(read(root, 4).unwrap().len(), 4);
    }

    #[test]
    fn no_link_leads_out_or_around() {
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        std::fs::write(&secret, "x").unwrap();
        for (target, words) in [
            (secret.as_path(), "leads out"),
            (outside.path(), "leads out"),
            (Path::new("/dev/null"), "leads out"),
            (Path::new("."), "link to a folder"),
            (Path::new("nowhere"), "cannot read"),
            (Path::new(".hidden"), "left out"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(".hidden"), "x").unwrap();
            symlink(target, folder.path().join("link")).unwrap();
            let error = read(folder.path(), 1_000).unwrap_err().to_string();
            assert!(error.contains(words), "{}: {error}", target.display());
        }
    }

    #[test]
    fn folders_without_files_and_with_too_many_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".hidden"), "x").unwrap();
        assert!(read(folder.path(), 1_000).unwrap_err().to_string().contains("has no files"));
        assert!(read(&folder.path().join(".hidden"), 9).unwrap_err().to_string().contains("no folder"));
        for number in 0..=FILES_MAX {
            std::fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert!(read(folder.path(), 1_000).unwrap_err().to_string().contains("more than 1000 files"));
        std::fs::remove_file(folder.path().join("7")).unwrap();
        assert_eq!(read(folder.path(), 1_000).unwrap().len(), FILES_MAX);
    }
}
