//! What a file begins with, against the limits of a run.

use wasmcloud_wire::limits::PAGE_BYTES;
use wasmcloud_wire::{Limits, Refusal};
use wasmparser::{MemoryType, TableType};

use crate::text;

/// What a file's memories and tables begin with, all together.
pub(crate) struct Beginning {
    what: &'static str,
    pages: u64,
    /// The sum of what the memories say that they never exceed, if each of them does.
    pages_max: Option<u64>,
    elements: u64,
}

impl Beginning {
    /// Of a `module` or a `component` that has nothing yet.
    pub(crate) fn of(what: &'static str) -> Beginning {
        Beginning { what, pages: 0, pages_max: Some(0), elements: 0 }
    }

    pub(crate) fn memory(&mut self, memory: MemoryType) {
        self.pages = self.pages.saturating_add(memory.initial);
        self.pages_max = self.pages_max.zip(memory.maximum).map(|(sum, max)| sum.saturating_add(max));
    }

    pub(crate) fn table(&mut self, table: TableType) {
        self.elements = self.elements.saturating_add(table.initial);
    }

    pub(crate) fn memory_bytes_min(&self) -> u64 {
        self.pages.saturating_mul(PAGE_BYTES)
    }

    pub(crate) fn memory_bytes_max(&self) -> Option<u64> {
        self.pages_max.map(|pages| pages.saturating_mul(PAGE_BYTES))
    }

    pub(crate) fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        let pages_max = u64::from(limits.memory_pages());
        if self.pages > pages_max {
            return Err(Refusal::new(
                "over_limit",
                format!(
                    "the {} begins with {} of memory ({} bytes); the memory limit is {} ({} bytes)",
                    self.what,
                    text::pages(self.pages),
                    self.memory_bytes_min(),
                    text::pages(pages_max),
                    pages_max * PAGE_BYTES
                ),
                "declare a smaller initial memory, or less static data",
            ));
        }
        let elements_max = u64::from(limits.table_elements);
        if self.elements > elements_max {
            return Err(Refusal::new(
                "over_limit",
                format!(
                    "the {}'s tables begin with {} elements; the table limit is {elements_max}",
                    self.what, self.elements
                ),
                "use fewer indirect functions, or declare smaller tables",
            ));
        }
        Ok(())
    }
}
