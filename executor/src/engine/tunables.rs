//! An instance's bounds: how far its memory grows, how large its tables are, and how it is stopped.

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmer::sys::vm::{
    MemoryStyle, TableStyle, VMGlobal, VMGlobalDefinition, VMMemory, VMMemoryDefinition, VMTable,
    VMTableDefinition,
};
use wasmer::sys::{BaseTunables, Tunables};
use wasmer::{GlobalType, MemoryError, MemoryType, Pages, TableType};

use super::fuse::Fuse;
use super::pool::{Origin, PooledMemory};

/// How compiled code finds memories and tables; it is compiled and run with the same.
///
/// Every access is checked against the memory's present length, exactly: a memory from the pool has no pages
/// beyond its end that an access could be left to. A memory that can never have a page is the one exception,
/// by wasmer's rule: its bound is a constant.
pub(super) fn styles() -> BaseTunables {
    BaseTunables {
        static_memory_bound: Pages(0),
        static_memory_offset_guard_size: 0,
        dynamic_memory_offset_guard_size: 0,
    }
}

/// What an instance may have at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Pages of its memory.
    pub(super) memory_pages: u32,
    /// Elements of each table.
    pub(super) table_elements: u32,
}

/// Tunables that lower every memory's and table's maximum to the invocation's limit, so that
/// growing beyond it gives -1 as if the module had declared that maximum itself. For one instance.
pub(super) struct Bounded {
    base: BaseTunables,
    bounds: Bounds,
    origin: Arc<Origin>,
    fuse: Arc<Fuse>,
    /// Which of the instance's globals is its count of gas, before the one that says whether it ran out, and
    /// how many were made so far.
    count_index: usize,
    globals_made: AtomicUsize,
}

impl Bounded {
    /// Memory comes from `origin`; `fuse` is pointed at the global with this index
    /// among the instance's own.
    pub(super) fn new(bounds: Bounds, origin: Arc<Origin>, fuse: Arc<Fuse>, count_index: usize) -> Bounded {
        let globals_made = AtomicUsize::new(0);
        Bounded { base: styles(), bounds, origin, fuse, count_index, globals_made }
    }

    fn bound_memory(&self, ty: &MemoryType) -> Result<MemoryType, MemoryError> {
        let max_allowed = Pages(self.bounds.memory_pages);
        if ty.minimum > max_allowed {
            return Err(MemoryError::MinimumMemoryTooLarge { min_requested: ty.minimum, max_allowed });
        }
        let maximum = ty.maximum.map_or(max_allowed, |pages| pages.min(max_allowed));
        Ok(MemoryType { maximum: Some(maximum), ..*ty })
    }

    fn bound_table(&self, ty: &TableType) -> Result<TableType, String> {
        let max_allowed = self.bounds.table_elements;
        if ty.minimum > max_allowed {
            return Err(format!("a table begins with {} elements; the limit is {max_allowed}", ty.minimum));
        }
        let maximum = ty.maximum.map_or(max_allowed, |elements| elements.min(max_allowed));
        Ok(TableType { maximum: Some(maximum), ..*ty })
    }
}

#[expect(unsafe_code, reason = "the trait's methods for an instance's own memories and tables are unsafe")]
impl Tunables for Bounded {
    fn memory_style(&self, memory: &MemoryType) -> MemoryStyle {
        self.base.memory_style(memory)
    }

    fn table_style(&self, table: &TableType) -> TableStyle {
        self.base.table_style(table)
    }

    fn create_host_memory(&self, ty: &MemoryType, style: &MemoryStyle) -> Result<VMMemory, MemoryError> {
        self.base.create_host_memory(&self.bound_memory(ty)?, style)
    }

    unsafe fn create_vm_memory(
        &self,
        ty: &MemoryType,
        _style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        let bounded = self.bound_memory(ty)?;
        // SAFETY: the caller's promise about `definition` is passed on: it is the instance's own, and outlasts
        // the guest's code and every call of the host's that works on the memory.
        let memory = unsafe { PooledMemory::new(&self.origin, bounded, definition) }?;
        let memory = memory.telling(self.fuse.clone(), ty.maximum);
        Ok(memory.into())
    }

    fn create_host_table(&self, ty: &TableType, style: &TableStyle) -> Result<VMTable, String> {
        self.base.create_host_table(&self.bound_table(ty)?, style)
    }

    unsafe fn create_vm_table(
        &self,
        ty: &TableType,
        style: &TableStyle,
        definition: NonNull<VMTableDefinition>,
    ) -> Result<VMTable, String> {
        let bounded = self.bound_table(ty)?;
        // SAFETY: the caller's promise about `definition` is passed on unchanged.
        unsafe { self.base.create_vm_table(&bounded, style, definition) }
    }

    unsafe fn create_vm_global(
        &self,
        ty: GlobalType,
        definition: NonNull<VMGlobalDefinition>,
    ) -> Result<VMGlobal, String> {
        // An instance's globals are made in their order.
        let index = self.globals_made.fetch_add(1, Ordering::Relaxed);
        // A definition begins with its value.
        if index == self.count_index {
            self.fuse.point_at(definition.cast());
        } else if Some(index) == self.count_index.checked_add(1) {
            self.fuse.point_at_ran_out(definition.cast());
        }
        // SAFETY: the caller's promise about `definition` is passed on unchanged.
        unsafe { self.base.create_vm_global(ty, definition) }
    }
}
