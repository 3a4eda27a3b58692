//! A linear memory whose pages are a slot's.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use wasmer::sys::vm::{
    LinearMemory, MemoryStyle, Trap, VMMemory, VMMemoryDefinition, initialize_memory_with_data,
};
use wasmer::{MemoryError, MemoryType, Pages};

use super::slot::Slot;
use super::{Image, Pool, STYLE, Segment};
use crate::engine::Fuse;

/// What a new memory holds.
#[derive(Clone)]
pub(crate) enum Contents {
    /// What the program's active data segments say, which are in this image; without one, each is written.
    Known(Option<Arc<Image>>),
    /// What the program's active data segments say, each of which is noted here as it is written.
    Recorded(Arc<Mutex<Vec<Segment>>>),
}

/// Where a program's memories come from, and what they hold: one count for its runs to share.
pub(crate) struct Origin {
    pool: Arc<Pool>,
    contents: Contents,
}

impl Origin {
    /// Memories with these contents, from this pool.
    pub(crate) fn new(pool: Arc<Pool>, contents: Contents) -> Arc<Origin> {
        Arc::new(Origin { pool, contents })
    }

    fn image(&self) -> Option<&Arc<Image>> {
        match &self.contents {
            Contents::Known(image) => image.as_ref(),
            Contents::Recorded(_) => None,
        }
    }
}

/// A memory of one instance. Its slot goes back to the pool when it is dropped.
pub(crate) struct PooledMemory {
    origin: Arc<Origin>,
    /// There until it is dropped.
    slot: Option<Slot>,
    /// Whether the slot shows the origin's image.
    shows_image: bool,
    ty: MemoryType,
    pages: Pages,
    maximum: Pages,
    /// Base and length, where the guest's code looks for them.
    definition: NonNull<VMMemoryDefinition>,
    /// Active data segments that are yet to come and are there already. They come first of all
    /// (`Instance::new`), so this is how they are told from `memory.init`.
    segments_there: AtomicUsize,
    /// Who is told of growth that only the limit refuses, and the program's own maximum.
    told: Option<(Arc<Fuse>, Pages)>,
}

// SAFETY: the definition belongs to the instance that the memory belongs to, and goes where it goes; wasmer
// asks for both bounds and uses a memory from one thread at a time.
unsafe impl Send for PooledMemory {}
// SAFETY: as above.
unsafe impl Sync for PooledMemory {}

impl PooledMemory {
    /// A memory of this type, which has a maximum, whose definition is to be written there.
    ///
    /// # Errors
    ///
    /// The system gives no memory.
    ///
    /// # Safety
    ///
    /// `definition` can be written for as long as the memory is used.
    pub(crate) unsafe fn new(
        origin: &Arc<Origin>,
        ty: MemoryType,
        mut definition: NonNull<VMMemoryDefinition>,
    ) -> Result<PooledMemory, MemoryError> {
        let maximum = ty.maximum.unwrap_or(Pages::max_value());
        // Data that does not fit: it is to be written, and fails, as the specification says.
        let image = origin.image().filter(|image| image.range().end <= ty.minimum.bytes().0);
        let slot = origin
            .pool
            .take(maximum.bytes().0, image)
            .map_err(|error| MemoryError::Generic(format!("no memory from the system: {error}")))?;
        let here = VMMemoryDefinition { base: slot.base().as_ptr(), current_length: ty.minimum.bytes().0 };
        // SAFETY: as the caller promises.
        unsafe { *definition.as_mut() = here };
        Ok(PooledMemory {
            origin: origin.clone(),
            slot: Some(slot),
            shows_image: image.is_some(),
            ty,
            pages: ty.minimum,
            maximum,
            definition,
            segments_there: AtomicUsize::new(image.map_or(0, |image| image.segments())),
            told: None,
        })
    }

    /// The same, telling of growth that it refuses and the program's own maximum would not.
    pub(crate) fn telling(mut self, fuse: Arc<Fuse>, own_maximum: Option<Pages>) -> PooledMemory {
        self.told = Some((fuse, own_maximum.unwrap_or(Pages::max_value())));
        self
    }

    fn could_not_grow(&self, delta: Pages) -> MemoryError {
        let wanted = self.pages.checked_add(delta);
        if let (Some((fuse, own_maximum)), Some(wanted)) = (&self.told, wanted)
            && wanted <= *own_maximum
        {
            fuse.refuse_memory(wanted.bytes().0 as u64);
        }
        MemoryError::CouldNotGrow { current: self.pages, attempted_delta: delta }
    }
}

impl LinearMemory for PooledMemory {
    fn ty(&self) -> MemoryType {
        MemoryType { minimum: self.pages, ..self.ty }
    }

    fn size(&self) -> Pages {
        self.pages
    }

    fn style(&self) -> MemoryStyle {
        STYLE
    }

    fn grow(&mut self, delta: Pages) -> Result<Pages, MemoryError> {
        let before = self.pages;
        let after = before.checked_add(delta).filter(|after| *after <= self.maximum);
        let after = after.ok_or_else(|| self.could_not_grow(delta))?;
        self.pages = after;
        // SAFETY: as `new` was promised; the guest does not run while its memory grows.
        unsafe { self.definition.as_mut() }.current_length = after.bytes().0;
        Ok(before)
    }

    fn vmmemory(&self) -> NonNull<VMMemoryDefinition> {
        self.definition
    }

    fn try_clone(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        Err(MemoryError::MemoryNotShared)
    }

    fn copy(&self) -> Result<Box<dyn LinearMemory + Send + Sync + 'static>, MemoryError> {
        Err(MemoryError::UnsupportedOperation { message: "a pooled memory has no copy".to_owned() })
    }

    unsafe fn initialize_with_data(&self, start: usize, data: &[u8]) -> Result<(), Trap> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.segments_there.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return Ok(());
        }
        // SAFETY: the caller has made sure that the data fits.
        unsafe { initialize_memory_with_data(self.definition.as_ref(), start, data) }?;
        if let Contents::Recorded(recorded) = &self.origin.contents {
            let mut recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner);
            recorded.push(Segment { start, len: data.len() });
        }
        Ok(())
    }
}

impl Drop for PooledMemory {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let image = self.origin.image().filter(|_| self.shows_image);
            self.origin.pool.give_back(slot, self.pages.bytes().0, image);
        }
    }
}

impl std::fmt::Debug for PooledMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledMemory").field("pages", &self.pages).field("maximum", &self.maximum).finish()
    }
}

impl From<PooledMemory> for VMMemory {
    fn from(memory: PooledMemory) -> VMMemory {
        VMMemory(Box::new(memory))
    }
}
