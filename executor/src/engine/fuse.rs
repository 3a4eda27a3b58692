//! An instance's gas: how it is given and read, and how a guest that runs on another thread is stopped: its gas
//! is taken away.
//!
//! A guest looks at its count in every block of its code, so it stops right after. wasmer's own
//! interrupts are not used: they are signals, and one that comes while the guest's thread holds a
//! lock of wasmer's (it takes one after every host call) leaves that locked for the whole process.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use wasmer::{Instance, Store};

use crate::guest::Interrupt;

/// Stops one instance, from any thread, and knows what it was refused.
pub(crate) struct Fuse {
    /// Where the instance keeps its count; null before there is one.
    count: AtomicPtr<u64>,
    /// Where it notes that the count was too small; null before there is an instance.
    ran_out: AtomicPtr<u32>,
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
            ran_out: AtomicPtr::default(),
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

    /// Points the fuse at the word where the instance notes that its count was too small.
    pub(super) fn point_at_ran_out(&self, ran_out: NonNull<u32>) {
        self.ran_out.store(ran_out.as_ptr(), Ordering::Relaxed);
    }

    /// Gives the fuse's instance, which is in this store, so much to spend from now on.
    pub(crate) fn recharge(&self, store: &mut Store, instance: &Instance, gas: u64) {
        if let Some((count, ran_out)) = self.words(store, instance) {
            count.store(gas, Ordering::Relaxed);
            ran_out.store(0, Ordering::Relaxed);
        }
    }

    /// What the fuse's instance, which is in this store, has left; `None` once it ran out.
    pub(crate) fn remaining(&self, store: &mut Store, instance: &Instance) -> Option<u64> {
        let (count, ran_out) = self.words(store, instance)?;
        (ran_out.load(Ordering::Relaxed) == 0).then(|| count.load(Ordering::Relaxed))
    }

    /// The instance's count, and whether it ran out.
    fn words<'s>(&self, _store: &'s mut Store, _: &Instance) -> Option<(&'s AtomicU64, &'s AtomicU32)> {
        let count = NonNull::new(self.count.load(Ordering::Relaxed))?;
        let ran_out = NonNull::new(self.ran_out.load(Ordering::Relaxed))?;
        // SAFETY: both were given as definitions of globals, which are aligned to 16 bytes. A fuse is pointed
        // at one instance only: tunables are made with it for one store. That instance was made, and a store
        // keeps its instances for as long as it lives; it is borrowed, so none of their code runs.
        #[expect(unsafe_code, reason = "the count is a word of the instance's own memory")]
        unsafe {
            Some((AtomicU64::from_ptr(count.as_ptr()), AtomicU32::from_ptr(ran_out.as_ptr())))
        }
    }

    fn armed(&self) -> MutexGuard<'_, bool> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interrupt for Fuse {
    fn interrupt(&self) {
        self.blow();
    }
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        *self.0.armed() = false;
    }
}
