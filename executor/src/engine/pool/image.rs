//! What a program's memory begins with.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::slot::page_bytes;

/// An image is not worth its pages if it is longer than so many times the data in it, and this besides: they
/// would take memory twice, in the image and in each run that touches them.
const SPARSE_FACTOR: usize = 2;
const SPARSE_BYTES: usize = 256 << 10;

/// Where a piece of a program's data lies in its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(super) start: usize,
    pub(super) len: usize,
}

/// The file in memory that all images of a pool lie in: one descriptor, however many there are.
pub(super) struct Images {
    file: OwnedFd,
    /// Where the next image goes. No place is used twice; what a place took is given back.
    end: AtomicU64,
}

impl Images {
    pub(super) fn new() -> io::Result<Images> {
        let file = memfd_create(c"wasmcloud-images", MemfdFlags::CLOEXEC)?;
        Ok(Images { file, end: AtomicU64::new(0) })
    }

    #[cfg(test)]
    pub(super) fn file(&self) -> &OwnedFd {
        &self.file
    }
}

/// The pages of a program's memory from its first data to its last, as they are before it runs.
pub(crate) struct Image {
    images: Arc<Images>,
    /// Where it begins in the file.
    offset: u64,
    /// Where it begins in the program's memory; a whole number of pages, as its length is.
    start: usize,
    len: usize,
    /// The same pages, to be read.
    pages: NonNull<u8>,
    /// How many active data segments it stands for.
    segments: usize,
}

// SAFETY: the pages are only ever read, and nobody else has the mapping.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// The image of a memory that its program's active data segments were just written to; `None` if it has
    /// none, or if they lie so far apart that each run does better to write them itself.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    ///
    /// # Safety
    ///
    /// From `memory` on, all of the segments can be read, and nobody writes there meanwhile.
    pub(super) unsafe fn of(
        images: &Arc<Images>,
        memory: NonNull<u8>,
        segments: &[Segment],
    ) -> io::Result<Option<Image>> {
        let filled = || segments.iter().filter(|segment| segment.len > 0);
        let (Some(first), Some(last)) = (
            filled().map(|segment| segment.start).min(),
            filled().map(|segment| segment.start + segment.len).max(),
        ) else {
            return Ok(None);
        };
        let start = first - first % page_bytes();
        let len = (last - start).next_multiple_of(page_bytes());
        let written: usize = filled().map(|segment| segment.len).sum();
        if len > written.saturating_mul(SPARSE_FACTOR).saturating_add(SPARSE_BYTES) {
            return Ok(None);
        }
        let offset = images.end.fetch_add(len as u64, Ordering::Relaxed);
        // Writing makes the file longer. What follows the last byte in its page is zero.
        for segment in filled() {
            // SAFETY: as the caller promises.
            let bytes =
                unsafe { std::slice::from_raw_parts(memory.as_ptr().add(segment.start), segment.len) };
            write_at(&images.file, bytes, offset + (segment.start - start) as u64)?;
        }
        // SAFETY: a new mapping, at a place of the kernel's choice.
        let pages =
            unsafe { mmap(null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &images.file, offset) }?;
        let pages = NonNull::new(pages.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Some(Image { images: images.clone(), offset, start, len, pages, segments: segments.len() }))
    }

    /// Where it begins and ends in the program's memory.
    pub(super) fn range(&self) -> std::ops::Range<usize> {
        self.start..self.start + self.len
    }

    /// How many active data segments need not be written any more.
    pub(super) fn segments(&self) -> usize {
        self.segments
    }

    /// How many bytes of memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.len
    }

    /// Maps it, copy-on-write, into a memory that begins at `memory`.
    ///
    /// # Safety
    ///
    /// The memory's [`range`](Image::range) belongs to the caller, and nobody uses it.
    pub(super) unsafe fn map_into(&self, memory: NonNull<u8>) -> io::Result<()> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::FIXED);
        // SAFETY: the range is the caller's, by its promise.
        unsafe {
            let target = memory.as_ptr().add(self.start).cast();
            mmap(target, self.len, protection, flags, &self.images.file, self.offset)
        }?;
        Ok(())
    }

    /// Copies what the image has for the bytes of a memory from `offset` on; what it does not cover is zero.
    ///
    /// # Safety
    ///
    /// `len` bytes from `target` on can be written, and nobody else uses them.
    pub(super) unsafe fn copy_to(&self, offset: usize, target: NonNull<u8>, len: usize) {
        let target = target.as_ptr();
        let end = offset + len;
        let (from, to) = (offset.max(self.start), end.min(self.start + self.len));
        if from >= to {
            // SAFETY: as the caller promises.
            unsafe { target.write_bytes(0, len) };
            return;
        }
        // SAFETY: three parts of the target, one after the other; the middle one is as long as what is read of
        // the image, and lies within it.
        unsafe {
            target.write_bytes(0, from - offset);
            let source = self.pages.as_ptr().add(from - self.start);
            source.copy_to_nonoverlapping(target.add(from - offset), to - from);
            target.add(to - offset).write_bytes(0, end - to);
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // What cannot be given back stays taken; nothing else comes of it.
        let _ = fallocate(&self.images.file, flags, self.offset, self.len as u64);
        // SAFETY: the mapping is this value's own; no slot reads through it.
        let _ = unsafe { munmap(self.pages.as_ptr().cast(), self.len) };
    }
}

fn write_at(file: &OwnedFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::pwrite(file, bytes, offset)?;
        bytes = bytes.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(())
}
