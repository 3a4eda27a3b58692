//! One range of address space, which is a linear memory for one run after another.

use std::io;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};
use std::sync::{Arc, Weak};

use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap};

use super::image::Image;
use super::pages::PageMap;

/// What follows a slot and can never be accessed. Guests never come here, for they check each access
/// themselves; should the check ever be wrong, this is what it meets.
const GUARD_BYTES: usize = 64 << 10;

/// The system's page size, in bytes.
pub(super) fn page_bytes() -> usize {
    rustix::param::page_size()
}

/// Accessible as a whole; whatever its present image does not cover is zero while nobody has it.
pub(super) struct Slot {
    base: NonNull<u8>,
    capacity: usize,
    shown: Option<Shown>,
}

/// An image that is mapped. It may be gone: then nothing will ever ask for it again.
struct Shown {
    image: Weak<Image>,
    range: Range<usize>,
}

// SAFETY: the mapping is this value's own, and not bound to a thread.
unsafe impl Send for Slot {}

impl Slot {
    /// Maps a new one, of zeroes.
    pub(super) fn map(capacity: usize) -> io::Result<Slot> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new mapping, at a place of the kernel's choice.
        let base = unsafe { mmap_anonymous(null_mut(), capacity + GUARD_BYTES, ProtFlags::empty(), flags) }?;
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        let slot = Slot { base, capacity, shown: None };
        // SAFETY: all but the guard of a mapping that nobody uses yet.
        unsafe {
            mprotect(base.as_ptr().cast(), capacity, MprotectFlags::READ | MprotectFlags::WRITE)?;
            small_pages(base, capacity)?;
        }
        Ok(slot)
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// How many bytes a memory here may come to have.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Whether it begins as this image says.
    pub(super) fn shows(&self, image: Option<&Arc<Image>>) -> bool {
        self.shown.as_ref().map(|shown| shown.image.as_ptr()) == image.map(Arc::as_ptr)
    }

    /// Makes it begin as this image says. After an error it must not be used.
    pub(super) fn show(&mut self, image: Option<&Arc<Image>>) -> io::Result<()> {
        if self.shows(image) {
            return Ok(());
        }
        if let Some(Shown { range, .. }) = self.shown.take() {
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
            // SAFETY: a part of this slot, which nobody uses.
            unsafe {
                let start = self.base.add(range.start);
                let protection = ProtFlags::READ | ProtFlags::WRITE;
                mmap_anonymous(start.as_ptr().cast(), range.len(), protection, flags)?;
                small_pages(start, range.len())?;
            }
        }
        if let Some(image) = image {
            if image.range().end > self.capacity {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            // SAFETY: the image lies within this slot, which nobody uses.
            unsafe { image.map_into(self.base) }?;
            self.shown = Some(Shown { image: Arc::downgrade(image), range: image.range() });
        }
        Ok(())
    }

    /// Puts back what a run changed, whose memory had so many bytes and began as the image says that is shown.
    /// After an error it must not be used.
    pub(super) fn clean(
        &mut self,
        used_bytes: usize,
        image: Option<&Arc<Image>>,
        pages: &PageMap,
    ) -> io::Result<()> {
        let start = self.base.as_ptr() as usize;
        let used = start..start + used_bytes.min(self.capacity);
        let Some(written) = pages.written(used.clone()) else {
            return self.discard(0, used.len());
        };
        for range in written.ranges() {
            self.rewrite(range.start - start, range.len(), image);
        }
        // Many pages are given back to the system rather than kept for a program that may not need them.
        self.discard(written.rest.start - start, written.rest.len())
    }

    fn rewrite(&mut self, offset: usize, len: usize, image: Option<&Arc<Image>>) {
        // SAFETY: a range of pages of this slot, as the kernel says, and nobody uses them.
        unsafe {
            let target = self.base.add(offset);
            match image {
                Some(image) => image.copy_to(offset, target, len),
                None => target.as_ptr().write_bytes(0, len),
            }
        }
    }

    /// Drops pages: they are zero, or as the image says, when they are next touched.
    fn discard(&mut self, offset: usize, len: usize) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        // SAFETY: a range of pages of this slot, and nobody uses them.
        unsafe { madvise(self.base.add(offset).as_ptr().cast(), len, Advice::LinuxDontNeed) }?;
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and whoever drops it does not use it any more.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.capacity + GUARD_BYTES) };
    }
}

/// Asks for pages of the usual size: a run that touches a byte must not cost 2 MiB of zeroes.
///
/// # Safety
///
/// The range is a mapping of the caller's.
unsafe fn small_pages(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: it changes how the range is backed, not what it holds.
    match unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxNoHugepage) } {
        // A kernel without huge pages.
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
