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

/// Tunables that lower every memory's and table's maximum to the invocation's limit, so that
/// growing beyond it gives -1 as if the module had declared that maximum itself. For one instance.
pub(crate) struct Bounded {
    base: BaseTunables,
    memory_pages_max: Pages,
    table_elements_max: u32,
    fuse: Arc<Fuse>,
    /// Which of the instance's globals is its count of gas, and how many were made so far.
    count_index: usize,
    globals_made: AtomicUsize,
}

impl Bounded {
    /// Bounds in pages of memory and elements of each table; `fuse` is pointed at the global with this
    /// index among the instance's own.
    pub(crate) fn new(
        base: BaseTunables,
        memory_pages_max: u32,
        table_elements_max: u32,
        fuse: Arc<Fuse>,
        count_index: usize,
    ) -> Bounded {
        let (memory_pages_max, globals_made) = (Pages(memory_pages_max), AtomicUsize::new(0));
        Bounded { base, memory_pages_max, table_elements_max, fuse, count_index, globals_made }
    }

    fn bound_memory(&self, ty: &MemoryType) -> Result<MemoryType, MemoryError> {
        if ty.minimum > self.memory_pages_max {
            return Err(MemoryError::MinimumMemoryTooLarge {
                min_requested: ty.minimum,
                max_allowed: self.memory_pages_max,
            });
        }
        let maximum = ty.maximum.map_or(self.memory_pages_max, |pages| pages.min(self.memory_pages_max));
        Ok(MemoryType { maximum: Some(maximum), ..*ty })
    }

    fn bound_table(&self, ty: &TableType) -> Result<TableType, String> {
        if ty.minimum > self.table_elements_max {
            return Err(format!(
                "a table begins with {} elements; the limit is {}",
                ty.minimum, self.table_elements_max
            ));
        }
        let maximum =
            ty.maximum.map_or(self.table_elements_max, |elements| elements.min(self.table_elements_max));
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
        style: &MemoryStyle,
        definition: NonNull<VMMemoryDefinition>,
    ) -> Result<VMMemory, MemoryError> {
        let bounded = self.bound_memory(ty)?;
        // SAFETY: the caller's promise about `definition` is passed on unchanged.
        unsafe { self.base.create_vm_memory(&bounded, style, definition) }
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
        if self.globals_made.fetch_add(1, Ordering::Relaxed) == self.count_index {
            // A definition begins with its value.
            self.fuse.point_at(definition.cast());
        }
        // SAFETY: the caller's promise about `definition` is passed on unchanged.
        unsafe { self.base.create_vm_global(ty, definition) }
    }
}
