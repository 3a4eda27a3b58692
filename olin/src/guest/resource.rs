//! Resources: whatever can be opened by a URL, read and written.

use std::io::{self, Read, Write};

use super::sys;
use crate::abi::{Error, outcome};

/// An open resource. It is closed when it is dropped.
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
}

impl Read for Resource {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match outcome(sys::resource_read(self.id, buffer)) {
            Ok(count) => Ok((count as usize).min(buffer.len())),
            Err(Error::EndOfFile) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

impl Write for Resource {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = outcome(sys::resource_write(self.id, bytes))?;
        Ok((count as usize).min(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        outcome(sys::resource_flush(self.id))?;
        Ok(())
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
