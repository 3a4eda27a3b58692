//! What a guest may have of memories and tables.

use std::sync::Arc;

use wasmcloud_wire::Limits;
use wasmtime::ResourceLimiter;

use super::usage::Usage;

/// Holds all memories and tables of one guest, each together, to its limits.
pub(crate) struct Limiter {
    memory_bytes_max: u64,
    table_elements_max: u64,
    memory_bytes: u64,
    table_elements: u64,
    usage: Arc<Usage>,
}

impl Limiter {
    pub(crate) fn new(limits: &Limits, usage: Arc<Usage>) -> Limiter {
        Limiter {
            memory_bytes_max: limits.memory_bytes,
            table_elements_max: u64::from(limits.table_elements),
            memory_bytes: 0,
            table_elements: 0,
            usage,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let all = self.memory_bytes.saturating_add(more);
        if all > self.memory_bytes_max {
            // What the program forbids itself is no business of the limit's.
            if maximum.is_none_or(|maximum| desired <= maximum) {
                self.usage.refuse_memory(all);
            }
            return Ok(false);
        }
        self.memory_bytes = all;
        self.usage.has_memory(all);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let all = self.table_elements.saturating_add(desired.saturating_sub(current) as u64);
        if all > self.table_elements_max {
            return Ok(false);
        }
        self.table_elements = all;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_together_stay_within_the_limit_and_what_was_refused_is_known() {
        let usage = Arc::new(Usage::default());
        let limits = Limits { memory_bytes: 10 << 16, table_elements: 10, ..Limits::default() };
        let mut limiter = Limiter::new(&limits, usage.clone());
        assert!(limiter.memory_growing(0, 6 << 16, None).unwrap());
        assert!(limiter.memory_growing(0, 4 << 16, None).unwrap());
        assert!(!limiter.memory_growing(6 << 16, 7 << 16, None).unwrap());
        assert_eq!((usage.memory_peak_bytes(), usage.memory_refused_bytes()), (10 << 16, Some(11 << 16)));
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(0, 1, None).unwrap());
    }

    #[test]
    fn a_programs_own_maximum_is_not_told_as_a_limit_of_the_platform() {
        let usage = Arc::new(Usage::default());
        let limits = Limits { memory_bytes: 1 << 16, ..Limits::default() };
        let mut limiter = Limiter::new(&limits, usage.clone());
        assert!(!limiter.memory_growing(1 << 16, 3 << 16, Some(2 << 16)).unwrap());
        assert_eq!(usage.memory_refused_bytes(), None);
    }
}
