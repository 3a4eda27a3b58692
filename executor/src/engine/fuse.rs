//! How a guest that runs on another thread is stopped: its gas is taken away.
//!
//! A guest looks at its count in every block of its code, so it stops right after. wasmer's own
//! interrupts are not used: they are signals, and one that comes while the guest's thread holds a
//! lock of wasmer's (it takes one after every host call) leaves that locked for the whole process.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Stops one instance, from any thread, and knows what it was refused.
pub(crate) struct Fuse {
    /// Where the instance keeps its count; null before there is one.
    count: AtomicPtr<u64>,
    /// Whether the guest's code is running.
    armed: Mutex<bool>,
    /// What was left when it was taken away; [`NOTHING`] if it was not.
    taken: AtomicU64,
    /// The most bytes that the memory was not allowed to have; 0 if nothing was refused.
    memory_refused: AtomicU64,
}

const NOTHING: u64 = u64::MAX;

/// Disarms a fuse when it is dropped.
pub(crate) struct Armed<'a>(&'a Fuse);

impl Default for Fuse {
    fn default() -> Fuse {
        Fuse {
            count: AtomicPtr::default(),
            armed: Mutex::default(),
            taken: AtomicU64::new(NOTHING),
            memory_refused: AtomicU64::new(0),
        }
    }
}

impl Fuse {
    /// Lets the fuse be blown until the result is dropped. In the meantime the instance has to stay, and
    /// nobody but the guest's own code may touch its count.
    pub(crate) fn arm(&self) -> Armed<'_> {
        *self.armed() = true;
        Armed(self)
    }

    /// Takes all gas away. A guest that was counting at this very moment may overwrite that, or may
    /// count on from 0 to numbers beyond any that it was given: to be repeated until it has stopped.
    pub(crate) fn blow(&self) {
        let armed = self.armed();
        let Some(count) = NonNull::new(self.count.load(Ordering::Relaxed)).filter(|_| *armed) else { return };
        // SAFETY: as `arm` was promised, the count is there until the fuse is disarmed, which waits for
        // the lock that is held here, and only the guest's code uses it, in whole aligned words, as if
        // with relaxed atomics. `point_at` was given a global's definition, which is aligned to 16 bytes.
        #[expect(unsafe_code, reason = "the count is a word of the instance's own memory")]
        let left = unsafe { AtomicU64::from_ptr(count.as_ptr()) }.swap(0, Ordering::Relaxed);
        if left > 0 {
            // A count only goes down, so what is larger than before is no count.
            self.taken.fetch_min(left, Ordering::Relaxed);
        }
    }

    /// What was left when the gas was taken away; `None` if it was not.
    pub(crate) fn taken(&self) -> Option<u64> {
        Some(self.taken.load(Ordering::Relaxed)).filter(|left| *left != NOTHING)
    }

    /// Notes that the memory was not allowed to grow to so many bytes.
    pub(super) fn refuse_memory(&self, bytes: u64) {
        self.memory_refused.fetch_max(bytes, Ordering::Relaxed);
    }

    /// The most bytes that the memory was not allowed to have, if something was refused.
    pub(crate) fn memory_refused(&self) -> Option<u64> {
        Some(self.memory_refused.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    /// Points the fuse at an instance's count.
    pub(super) fn point_at(&self, count: NonNull<u64>) {
        self.count.store(count.as_ptr(), Ordering::Relaxed);
    }

    fn armed(&self) -> MutexGuard<'_, bool> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        *self.0.armed() = false;
    }
}
