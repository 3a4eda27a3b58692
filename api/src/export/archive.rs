//! The file itself: a tar whose entries are read and written whole, one at a time, with a sha256 over all of them
//! at its end.
//!
//! A reader takes plain files only, no links and no extensions, never more than a bounded size at once, and
//! nothing after the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};
use uuid::Uuid;
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;

use super::ExportError;

/// The entry with the sum of those before.
const SUM_ENTRY: &str = "sha256";
/// Largest entry, in bytes: a module with what sealing adds, with room to spare.
const ENTRY_BYTES_MAX: u64 = 2 * UPLOAD_BYTES_MAX as u64;
/// A tar is made of blocks of this size, in bytes.
const BLOCK_BYTES: usize = 512;
/// What a tar ends with: two blocks of zeros.
const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];

/// An entry as it stands in the file.
pub struct Entry {
    /// How many entries come before.
    pub position: u64,
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A file that is being written beside its final place; gone when dropped before [`Writer::finish`].
pub struct Writer {
    file: io::BufWriter<File>,
    temporary: Temporary,
    path: PathBuf,
    sum: Sha256,
    position: u64,
    seconds: u64,
}

/// A file with a temporary name, which goes with this value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left under this name, and that is right.
        let _ = fs::remove_file(&self.0);
    }
}

impl Writer {
    /// Begins a file that its owner alone can read. `seconds` is the time of its entries, since 1970.
    pub fn create(path: &Path, seconds: u64) -> Result<Writer, ExportError> {
        let failed = |error| ExportError::file("write", path, error);
        let mut name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?.to_owned();
        name.push(format!(".{}", Uuid::new_v4()));
        let fresh = path.with_file_name(name);
        let file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(failed)?;
        Ok(Writer {
            file: io::BufWriter::new(file),
            temporary: Temporary(fresh),
            path: path.to_owned(),
            sum: Sha256::new(),
            position: 0,
            seconds,
        })
    }

    /// How many entries there are already: the position of the next.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Adds an entry.
    pub fn add(mut self, name: &str, bytes: &[u8]) -> Result<Writer, ExportError> {
        add_to(&mut self.sum, name, bytes);
        self.put(name, bytes).map_err(|error| ExportError::file("write", &self.path, error))?;
        Ok(self)
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_path(name)?;
        header.set_size(bytes.len() as u64);
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.seconds);
        header.set_cksum();
        self.file.write_all(header.as_bytes())?;
        self.file.write_all(bytes)?;
        let padding = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
        self.file.write_all(END.get(..padding).unwrap_or_default())?;
        self.position += 1;
        Ok(())
    }

    /// Writes the end, and puts the file in its place for good. Its size, in bytes.
    pub fn finish(mut self) -> Result<u64, ExportError> {
        let path = self.path.clone();
        self.complete().map_err(|error| ExportError::file("write", path, error))
    }

    fn complete(&mut self) -> io::Result<u64> {
        let sum = hex::encode(self.sum.clone().finalize());
        self.put(SUM_ENTRY, sum.as_bytes())?;
        self.file.write_all(&END)?;
        self.file.flush()?;
        let file = self.file.get_ref();
        file.sync_all()?;
        let size = file.metadata()?.len();
        fs::rename(&self.temporary.0, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(size)
    }
}

/// A file that is being read.
pub struct Reader {
    file: io::BufReader<File>,
    path: PathBuf,
    sum: Sha256,
    position: u64,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Reader, ExportError> {
        let failed = |error| ExportError::file("read", path, error);
        let no_file = || {
            let what = "it is no plain file".to_owned();
            ExportError::NotAnExport { path: path.to_owned(), what }
        };
        // Looked at first: to open a pipe is to wait for whoever writes to it.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(no_file());
        }
        let file = File::open(path).map_err(failed)?;
        // It may be another by now.
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(no_file());
        }
        Ok(Reader { file: io::BufReader::new(file), path: path.to_owned(), sum: Sha256::new(), position: 0 })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins again.
    pub fn rewind(&mut self) -> Result<(), ExportError> {
        self.file.rewind().map_err(|error| ExportError::file("read", &self.path, error))?;
        (self.sum, self.position) = (Sha256::new(), 0);
        Ok(())
    }

    /// The next entry; nothing after the last, whose sum was right then.
    pub fn next(&mut self) -> Result<Option<Entry>, ExportError> {
        let (name, size) = self.header()?;
        if name == SUM_ENTRY {
            return self.end(size).map(|()| None);
        }
        let bytes = self.bytes(&name, size)?;
        add_to(&mut self.sum, &name, &bytes);
        let position = self.position;
        self.position += 1;
        Ok(Some(Entry { position, name, bytes }))
    }

    fn header(&mut self) -> Result<(String, u64), ExportError> {
        let mut block = [0; BLOCK_BYTES];
        self.fill(&mut block)?;
        let header = Header::from_byte_slice(&block);
        // The sum of a header counts its own field as blanks.
        let mut copy = header.clone();
        copy.set_cksum();
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        let sound = header.cksum().is_ok_and(|sum| copy.cksum().is_ok_and(|right| right == sum));
        let size = header.entry_size().ok().filter(|&size| size <= ENTRY_BYTES_MAX);
        match (sound, header.entry_type(), size) {
            (true, EntryType::Regular, Some(size)) => Ok((name, size)),
            (true, ..) => Err(self.damaged(format!("`{name}` is nothing that an export has"))),
            (false, ..) if self.position == 0 => Err(ExportError::NotAnExport {
                path: self.path.clone(),
                what: "it does not begin like one".to_owned(),
            }),
            (false, ..) => Err(self.damaged(format!("entry {} has no sound header", self.position))),
        }
    }

    fn bytes(&mut self, name: &str, size: u64) -> Result<Vec<u8>, ExportError> {
        // What is not there is not allocated for.
        let mut bytes = Vec::new();
        let read = (&mut self.file).take(size).read_to_end(&mut bytes);
        read.map_err(|error| ExportError::file("read", &self.path, error))?;
        if (bytes.len() as u64) < size {
            return Err(self.damaged(format!("it ends in the middle of `{name}`")));
        }
        let mut padding = [0; BLOCK_BYTES];
        let length = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
        self.fill(padding.get_mut(..length).unwrap_or_default())?;
        Ok(bytes)
    }

    fn end(&mut self, size: u64) -> Result<(), ExportError> {
        let told = self.bytes(SUM_ENTRY, size)?;
        if told != hex::encode(self.sum.clone().finalize()).as_bytes() {
            return Err(self.damaged("its sum is another than when it was written".to_owned()));
        }
        let mut end = END;
        self.fill(&mut end)?;
        let more = self.file.read(&mut [0]).map_err(|error| ExportError::file("read", &self.path, error))?;
        if end != END || more > 0 {
            return Err(self.damaged("something comes after its end".to_owned()));
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ExportError> {
        self.file.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof if self.position == 0 => {
                ExportError::NotAnExport { path: self.path.clone(), what: "it is too short".to_owned() }
            }
            io::ErrorKind::UnexpectedEof => self.damaged("its end is missing".to_owned()),
            _ => ExportError::file("read", &self.path, error),
        })
    }

    /// This file is not what was written.
    pub fn damaged(&self, what: String) -> ExportError {
        ExportError::Damaged { path: self.path.clone(), what }
    }
}

/// Lengths come first, so that no other entries have the same sum.
fn add_to(sum: &mut Sha256, name: &str, bytes: &[u8]) {
    for part in [name.as_bytes(), bytes] {
        sum.update((part.len() as u64).to_be_bytes());
        sum.update(part);
    }
}
