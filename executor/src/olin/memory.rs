//! The guest's memory: the only place where it is read or written.
//!
//! Every range is checked against the memory's present size before anything is allocated.

use olin::abi::Error;
use wasmer::MemoryView;

/// A guest's memory during one host call.
pub(crate) struct GuestMemory<'a> {
    view: Option<MemoryView<'a>>,
}

/// A range that was within the memory when it was checked. Memory never shrinks.
#[derive(Clone, Copy)]
pub(crate) struct Range {
    start: u64,
    len: usize,
}

impl Range {
    /// How many bytes it has.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// A part of the range; what lies beyond its end is left out.
    pub(crate) fn part(self, offset: usize, len: usize) -> Range {
        let offset = offset.min(self.len);
        Range { start: self.start + offset as u64, len: len.min(self.len - offset) }
    }
}

impl<'a> GuestMemory<'a> {
    /// `None` stands for a guest without memory: no range lies within it.
    pub(crate) fn new(view: Option<MemoryView<'a>>) -> GuestMemory<'a> {
        GuestMemory { view }
    }

    /// The range that a pointer and a length name, both unsigned on the guest's side.
    pub(crate) fn range(&self, ptr: i32, len: i32) -> Result<Range, Error> {
        let (start, len) = (u64::from(ptr.cast_unsigned()), u64::from(len.cast_unsigned()));
        let size = self.view.as_ref().map_or(0, MemoryView::data_size);
        if start + len > size {
            return Err(Error::InvalidArgument);
        }
        Ok(Range { start, len: usize::try_from(len).map_err(|_| Error::InvalidArgument)? })
    }

    /// The bytes from a pointer to the next NUL, of which there must be at most `max`.
    pub(crate) fn until_nul(&self, ptr: i32, max: usize) -> Result<Vec<u8>, Error> {
        let start = u64::from(ptr.cast_unsigned());
        let size = self.view.as_ref().map_or(0, MemoryView::data_size);
        let left = usize::try_from(size.saturating_sub(start)).map_err(|_| Error::InvalidArgument)?;
        let mut bytes = self.read(Range { start, len: left.min(max + 1) })?;
        let end = bytes.iter().position(|&byte| byte == 0).ok_or(Error::InvalidArgument)?;
        bytes.truncate(end);
        Ok(bytes)
    }

    /// A copy of a range.
    pub(crate) fn read(&self, range: Range) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; range.len];
        self.read_into(range, &mut bytes)?;
        Ok(bytes)
    }

    /// Copies a range into a buffer of the same length.
    pub(crate) fn read_into(&self, range: Range, buffer: &mut [u8]) -> Result<(), Error> {
        let Some(view) = &self.view else { return Ok(()) };
        view.read(range.start, buffer).map_err(|_| Error::InvalidArgument)
    }

    /// Writes bytes at the beginning of a range that is at least as long.
    pub(crate) fn write(&self, range: Range, bytes: &[u8]) -> Result<(), Error> {
        let Some(view) = &self.view else { return Ok(()) };
        if bytes.len() > range.len {
            return Err(Error::InvalidArgument);
        }
        view.write(range.start, bytes).map_err(|_| Error::InvalidArgument)
    }
}
