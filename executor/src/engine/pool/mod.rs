//! Linear memories from a pool.
//!
//! A [`Slot`] is a range of address space that is kept mapped from one run to the next, since it is the
//! changes of page tables that cost most: mapping, unmapping and protecting interrupt every core that
//! works in the same address space. A program's data is mapped copy-on-write from its [`Image`], so that
//! nothing is copied but what is written. After a run the pages that were written are put back as they
//! were; a page that was never written has nothing to put back.
//!
//! Guests check every access against their memory's present length, exactly, in their own code
//! (`styles` in `tunables.rs`). So a slot is accessible as a whole: growing changes a number, and no page.

#![expect(unsafe_code, reason = "what this room is for; each block says why it is sound")]

mod image;
mod memory;
mod pages;
mod slot;

use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmer::MemoryView;
use wasmer::sys::vm::MemoryStyle;

use image::Images;
pub(crate) use image::{Image, Segment};
pub(crate) use memory::{Contents, Origin, PooledMemory};
use pages::PageMap;
use slot::Slot;

/// Most slots that are kept for their next run.
const FREE_MAX: usize = 512;
/// A slot of which a run had more than this is unmapped: what is kept costs page tables, 4 KiB for every 2 MiB
/// that were ever written.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Size of the smallest slots, in bytes; larger ones have powers of two.
const SLOT_BYTES_MIN: usize = 1 << 20;

/// How guests check their accesses: each against the present length, exactly.
const STYLE: MemoryStyle = MemoryStyle::Dynamic { offset_guard_size: 0 };

/// Memories for any number of instances, of any programs.
pub(crate) struct Pool {
    pages: PageMap,
    images: Arc<Images>,
    /// Clean slots; the one that was used last is the last.
    free: Mutex<Vec<Slot>>,
}

impl Pool {
    /// An empty pool.
    ///
    /// # Errors
    ///
    /// The system gives no memory that programs' images could be kept in.
    pub(crate) fn new() -> io::Result<Arc<Pool>> {
        Ok(Arc::new(Pool {
            pages: PageMap::open(),
            images: Arc::new(Images::new()?),
            free: Mutex::default(),
        }))
    }

    /// The image of a memory to which its program's active data segments, these ones, were just written;
    /// `None` if it has none.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub(crate) fn image(
        &self,
        memory: &MemoryView<'_>,
        segments: &Mutex<Vec<Segment>>,
    ) -> io::Result<Option<Arc<Image>>> {
        let segments = segments.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(base) = NonNull::new(memory.data_ptr()) else { return Ok(None) };
        // SAFETY: the segments are where the memory noted them when they were written; the view keeps the
        // store, and so the program, from changing anything.
        let image = unsafe { Image::of(&self.images, base, &segments) }?;
        Ok(image.map(Arc::new))
    }

    /// A slot of at least so many bytes, which begins as the image says and is zero elsewhere.
    fn take(&self, bytes: usize, image: Option<&Arc<Image>>) -> io::Result<Slot> {
        let capacity = bytes.next_power_of_two().max(SLOT_BYTES_MIN);
        let mut slot = match self.find(capacity, image) {
            Some(slot) => slot,
            None => Slot::map(capacity).or_else(|_| {
                // What is kept for later may be what is missing now.
                self.free().clear();
                Slot::map(capacity)
            })?,
        };
        slot.show(image)?;
        Ok(slot)
    }

    /// The free slot that takes the least work: one that shows the image already; once enough are kept, the
    /// one that was not used for longest.
    fn find(&self, capacity: usize, image: Option<&Arc<Image>>) -> Option<Slot> {
        let mut free = self.free();
        let of_image = free.iter().rposition(|slot| slot.capacity() == capacity && slot.shows(image));
        let index = match of_image {
            Some(index) => index,
            None if free.len() < FREE_MAX => return None,
            None => free.iter().position(|slot| slot.capacity() == capacity)?,
        };
        Some(free.remove(index))
    }

    /// Takes back a slot of which a run had so many bytes, and which shows this image. One that cannot be
    /// cleaned is never used again, nor is a large one.
    fn give_back(&self, mut slot: Slot, used_bytes: usize, image: Option<&Arc<Image>>) {
        if used_bytes > KEPT_BYTES_MAX {
            return;
        }
        if let Err(error) = slot.clean(used_bytes, image, &self.pages) {
            tracing::warn!(%error, "a memory cannot be cleaned; it is given up");
            return;
        }
        let mut free = self.free();
        let oldest = (free.len() >= FREE_MAX).then(|| free.remove(0));
        free.push(slot);
        drop(free);
        // Unmapping takes its time; others need not wait for it.
        drop(oldest);
    }

    fn free(&self) -> MutexGuard<'_, Vec<Slot>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
