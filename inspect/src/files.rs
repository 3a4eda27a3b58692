//! Files that are shipped beside a program, in a custom section of its own file.
//!
//! The section is called [`FILES_SECTION`]. Its content is the byte 1, the number of files, and for each file the
//! length of its path, the path, its size and its bytes, in the order of the paths. Numbers are LEB128, as everywhere
//! in WebAssembly; engines pass over a section that they do not know.

use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{Abi, Refusal, ShippedFile};

use crate::sections::{leb128, split, take, write_custom, write_leb128};

/// The name of the custom section with the files.
pub const FILES_SECTION: &str = "wasmcloud.files";

/// Most files beside one program.
pub const FILES_MAX: usize = 1_000;
/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 1_024;
/// Longest part of a path, between two slashes, in bytes.
pub const PATH_PART_BYTES_MAX: usize = 255;

/// How the section is laid out, its first byte.
const LAYOUT: u8 = 1;

/// A file beside a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'a> {
    /// Its path from the root, with `/` between its parts and none before the first.
    pub path: &'a str,
    /// What is in it.
    pub bytes: &'a [u8],
}

/// Why files cannot be put beside a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    /// What they are put beside is no WebAssembly, or is cut off.
    #[error(
        "files can only be put beside a WebAssembly module or component; this one is cut off, or is something else"
    )]
    Module,
    /// More files than [`FILES_MAX`].
    #[error("{0} files are more than the {FILES_MAX} that a program may have beside it")]
    TooMany(usize),
    /// A path that no file can have.
    #[error("`{path}` cannot be the path of a file: {problem}")]
    Path {
        /// The path, escaped and shortened.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two files with one path, or a file where another needs a folder.
    #[error("there are two files at `{0}`, or a file and a folder")]
    Twice(String),
    /// The program and its files are larger than what can be uploaded.
    #[error("the program has {bytes} bytes with its files; the upload limit is {UPLOAD_BYTES_MAX}")]
    TooLarge {
        /// The bytes of both.
        bytes: usize,
    },
}

/// Puts files beside a program, in place of those that are there. Without any, it only takes those away.
///
/// # Errors
///
/// [`FilesError`] says which file cannot be there, and why.
pub fn append(module: &[u8], files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, FilesError> {
    let (header, sections) = split(module).ok_or(FilesError::Module)?;
    let mut sorted: Vec<File<'_>> = files.iter().map(|(path, bytes)| File { path, bytes }).collect();
    sorted.sort_by_key(|file| file.path);
    check(&sorted)?;

    let size: usize = sorted.iter().map(|file| file.path.len() + file.bytes.len()).sum();
    if module.len().saturating_add(size) > UPLOAD_BYTES_MAX.saturating_mul(2) {
        return Err(FilesError::TooLarge { bytes: module.len().saturating_add(size) });
    }
    let mut whole = header.to_vec();
    for section in sections.iter().filter(|section| section.custom(FILES_SECTION).is_none()) {
        whole.extend_from_slice(section.whole);
    }
    if !sorted.is_empty() {
        write_custom(FILES_SECTION, &write(&sorted), &mut whole);
    }
    if whole.len() > UPLOAD_BYTES_MAX {
        return Err(FilesError::TooLarge { bytes: whole.len() });
    }
    Ok(whole)
}

/// The files beside a program, in the order of their paths; none, if it has no section for them.
///
/// # Errors
///
/// A section that is damaged, or has what [`append`] would not write.
pub fn read(module: &[u8]) -> Result<Vec<File<'_>>, Refusal> {
    let Some((_, sections)) = split(module) else {
        return Err(refusal("cannot be found: the file is cut off".to_owned()));
    };
    let mut contents = sections.iter().filter_map(|section| section.custom(FILES_SECTION));
    let Some(content) = contents.next() else { return Ok(Vec::new()) };
    if contents.next().is_some() {
        return Err(refusal("is there twice".to_owned()));
    }
    let mut files = parse(content)?;
    files.sort_by_key(|file| file.path);
    check(&files).map_err(|error| refusal(format!("is not as it should be: {error}")))?;
    Ok(files)
}

/// The files beside a program of this ABI, by path and size.
pub(crate) fn list(module: &[u8], abi: Abi) -> Result<Vec<ShippedFile>, Refusal> {
    let files = read(module)?;
    if !files.is_empty() && !abi.is_wasi() {
        return Err(Refusal::new(
            "invalid_section",
            format!("the module has files beside it, and speaks {abi}, which has no files"),
            "build the program for WASI, or put what it reads into the program itself",
        ));
    }
    let shipped =
        |file: &File<'_>| ShippedFile { path: file.path.to_owned(), size_bytes: file.bytes.len() as u64 };
    Ok(files.iter().map(shipped).collect())
}

fn write(files: &[File<'_>]) -> Vec<u8> {
    let mut content = vec![LAYOUT];
    write_leb128(files.len(), &mut content);
    for file in files {
        for bytes in [file.path.as_bytes(), file.bytes] {
            write_leb128(bytes.len(), &mut content);
            content.extend_from_slice(bytes);
        }
    }
    content
}

fn parse(content: &[u8]) -> Result<Vec<File<'_>>, Refusal> {
    let Some((&LAYOUT, mut rest)) = content.split_first() else {
        return Err(refusal("has a layout that is not known here".to_owned()));
    };
    let cut_off = || refusal("is cut off".to_owned());
    let count = leb128(&mut rest).ok_or_else(cut_off)?;
    if count > FILES_MAX {
        return Err(refusal(format!("is not as it should be: {}", FilesError::TooMany(count))));
    }
    let mut files = Vec::with_capacity(count);
    for _ in 0..count {
        let mut field = || leb128(&mut rest).and_then(|len| take(&mut rest, len)).ok_or_else(cut_off);
        let (path, bytes) = (field()?, field()?);
        let path =
            std::str::from_utf8(path).map_err(|_| refusal("has a path that is not UTF-8".to_owned()))?;
        files.push(File { path, bytes });
    }
    if rest.is_empty() { Ok(files) } else { Err(refusal("has bytes after its last file".to_owned())) }
}

/// Checks number and paths.
fn check(files: &[File<'_>]) -> Result<(), FilesError> {
    if files.len() > FILES_MAX {
        return Err(FilesError::TooMany(files.len()));
    }
    for file in files {
        if let Some(problem) = problem_of(file.path) {
            return Err(FilesError::Path { path: shown(file.path), problem });
        }
    }
    // Part by part, what is in a folder comes right after whatever has the folder's own path.
    let mut paths: Vec<&str> = files.iter().map(|file| file.path).collect();
    paths.sort_by(|a, b| a.split('/').cmp(b.split('/')));
    let clash = paths.windows(2).find_map(|pair| match pair {
        [first, second] => {
            let rest = second.strip_prefix(first)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| (*first).to_owned())
        }
        _ => None,
    });
    clash.map_or(Ok(()), |path| Err(FilesError::Twice(path)))
}

fn problem_of(path: &str) -> Option<&'static str> {
    if path.len() > PATH_BYTES_MAX {
        return Some("it is longer than 1024 bytes");
    }
    if path.contains(['\0', '\\']) {
        return Some("it has a backslash or a zero byte in it; folders are divided by `/`");
    }
    path.split('/').find_map(|part| match part {
        "" => Some("it is empty, begins or ends with `/`, or has two of them together"),
        "." | ".." => Some("it has the part `.` or `..` in it"),
        _ if part.len() > PATH_PART_BYTES_MAX => Some("a part of it is longer than 255 bytes"),
        _ => None,
    })
}

fn shown(path: &str) -> String {
    path.chars().take(100).flat_map(char::escape_debug).collect()
}

fn refusal(problem: String) -> Refusal {
    Refusal::new(
        "invalid_section",
        format!("the custom section `{FILES_SECTION}`, the files beside the program, {problem}"),
        "upload the program again with `wasmcloud create --files DIR`, which writes that section",
    )
}

#[cfg(test)]
mod tests;
