//! Resources: whatever can be opened by a URL, read and written.

use std::io::{self, Read, Write};

use super::sys;
use crate::abi::{Error, outcome};

/// An open resource. It is closed when it is dropped.
///
/// ```
/// # use std::io::Read as _;
/// use olin::resource::Resource;
///
/// let mut key = [0; 32];
/// Resource::open("random://")?.read_exact(&mut key)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Resource {
    id: i32,
}

impl Resource {
    /// Opens what `url` names.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a scheme that the host does not know, [`Error::PermissionDenied`] where the
    /// program's policy does not allow the URL, [`Error::InvalidArgument`] for text that is no URL.
    pub fn open(url: &str) -> Result<Resource, Error> {
        let id = sys::resource_open(url.as_bytes());
        outcome(id).map(|_| Resource { id })
    }

    /// Takes over an id that the host gave.
    pub(crate) fn from_id(id: i32) -> Resource {
        Resource { id }
    }

    /// One call to the host; `None` at the end.
    pub(crate) fn read_some(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Error> {
        match outcome(sys::resource_read(self.id, buffer)) {
            Ok(count) => Ok(Some((count as usize).min(buffer.len()))),
            Err(Error::EndOfFile) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One call to the host.
    pub(crate) fn write_some(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let count = outcome(sys::resource_write(self.id, bytes))?;
        Ok((count as usize).min(bytes.len()))
    }

    /// Writes everything.
    pub(crate) fn write_whole(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let written = self.write_some(bytes)?;
            if written == 0 {
                return Err(Error::Unknown);
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Makes what was written take effect.
    pub(crate) fn flush_now(&mut self) -> Result<(), Error> {
        outcome(sys::resource_flush(self.id)).map(|_| ())
    }
}

impl Read for Resource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.read_some(buffer)?.unwrap_or(0))
    }
}

impl Write for Resource {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.write_some(bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.flush_now()?)
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        sys::resource_close(self.id);
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error {
            Error::Unknown => io::ErrorKind::Other,
            Error::InvalidArgument => io::ErrorKind::InvalidInput,
            Error::PermissionDenied => io::ErrorKind::PermissionDenied,
            Error::NotFound => io::ErrorKind::NotFound,
            Error::EndOfFile => io::ErrorKind::UnexpectedEof,
        };
        io::Error::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_resource_reads_and_writes_as_any_stream() {
        let host = Host::new();
        let mut zeroes = [1; 4];
        Resource::open("zero://").unwrap().read_exact(&mut zeroes).unwrap();
        assert_eq!(zeroes, [0; 4]);
        writeln!(Resource::open("log://?prefix=kettle").unwrap(), "it boils").unwrap();
        assert_eq!(host.logs(), [(6, "kettle: it boils".to_owned())]);
        assert_eq!(Resource::open("null://").unwrap().read(&mut zeroes).unwrap(), 0);
    }

    #[test]
    fn what_cannot_be_opened_is_told_by_its_number() {
        let _host = Host::new();
        assert_eq!(Resource::open("teapot://x").unwrap_err(), Error::NotFound);
        assert_eq!(Resource::open("no url").unwrap_err(), Error::InvalidArgument);
        let error = Resource::open("random://").unwrap().write(b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Other);
    }

    #[test]
    fn a_dropped_resource_is_closed() {
        let host = Host::new();
        let first = Resource::open("null://").unwrap();
        let second = Resource::open("null://").unwrap();
        assert_eq!(host.open_resources(), 2);
        drop((first, second));
        assert_eq!(host.open_resources(), 0);
    }
}
