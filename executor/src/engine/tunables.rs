//! An instance's bounds: how far its memory grows and how large its tables are.

use std::ptr::NonNull;

use wasmer::sys::vm::{MemoryStyle, TableStyle, VMMemory, VMMemoryDefinition, VMTable, VMTableDefinition};
use wasmer::sys::{BaseTunables, Tunables};
use wasmer::{MemoryError, MemoryType, Pages, TableType};

/// Tunables that lower every memory's and table's maximum to the invocation's limit, so that
/// growing beyond it gives -1 as if the module had declared that maximum itself.
pub(crate) struct Bounded {
    base: BaseTunables,
    memory_pages_max: Pages,
    table_elements_max: u32,
}

impl Bounded {
    /// Bounds in pages of memory and elements of each table.
    pub(crate) fn new(base: BaseTunables, memory_pages_max: u32, table_elements_max: u32) -> Bounded {
        Bounded { base, memory_pages_max: Pages(memory_pages_max), table_elements_max }
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
}
