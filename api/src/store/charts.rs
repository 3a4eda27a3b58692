//! What the store is told, and tells, of how handlers did over time: sums for each minute, and how many invocations
//! took how long.

use async_trait::async_trait;
use wasmcloud_wire::{HandlerId, Receipt, Trigger};

use super::{StoreError, is_failure};

/// Bins of wall time for each doubling: an invocation is told to a sixteenth of what it took.
const BINS_PER_DOUBLING: u64 = 8;
/// Its logarithm.
const BINS_BITS: u32 = 3;
/// The most that one batch adds to a sum. Real sums stay far below it; without a bound, one wrong receipt could make
/// a week's sum more than the database can count.
const ADDED_MAX: u64 = 1 << 48;

/// The part of the past that a chart shows, in steps of whole minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first step's first minute, since 1970.
    pub from_minute: i64,
    /// Minutes in a step.
    pub step_minutes: u32,
    /// How many steps.
    pub steps: u32,
}

/// What a handler's invocations used that began in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepSums {
    /// Which step, from 0 on.
    pub step: usize,
    /// How many there were.
    pub invocations: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Gas, of all together.
    pub gas: u64,
    /// CPU time, of all together, in microseconds.
    pub cpu_us: u64,
    /// The largest memory of one, in bytes.
    pub memory_peak_bytes: u64,
}

/// How many invocations of one step took how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepWalls {
    /// Which step, from 0 on.
    pub step: usize,
    /// The bin of their wall time: see [`wall_bin`].
    pub bin: u32,
    /// How many.
    pub count: u64,
}

/// How many invocations of a handler began in one step, and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepCounts {
    /// The handler.
    pub handler: HandlerId,
    /// Which step, from 0 on.
    pub step: usize,
    /// How many there were.
    pub invocations: u64,
    /// How many of them failed.
    pub failures: u64,
}

/// What the control plane remembers of how handlers did. It is added to as records are kept.
#[async_trait]
pub trait ChartStore: Send + Sync {
    /// What a handler used, for each step in which it ran.
    async fn chart_sums(&self, handler: HandlerId, window: Window) -> Result<Vec<StepSums>, StoreError>;
    /// How long a handler's invocations took, by step and bin, in that order.
    async fn chart_walls(&self, handler: HandlerId, window: Window) -> Result<Vec<StepWalls>, StoreError>;
    /// How often each of these handlers ran, for each step in which it did.
    async fn chart_counts(
        &self,
        handlers: &[HandlerId],
        window: Window,
    ) -> Result<Vec<StepCounts>, StoreError>;
    /// Drops what was before this minute; how many rows went. In bites, like [`Store::prune`](super::Store::prune).
    async fn prune_charts(&self, before_minute: i64) -> Result<u64, StoreError>;
}

/// Whether an invocation is a part of charts: one that somebody asked a server for, and no replay.
pub(super) fn is_charted(receipt: &Receipt) -> bool {
    matches!(receipt.trigger, Trigger::Edge | Trigger::Chosen | Trigger::Invoke)
}

/// The minute, since 1970, that an invocation belongs to.
pub(super) fn minute(receipt: &Receipt) -> i64 {
    receipt.started_at.0.div_euclid(60_000)
}

impl StepSums {
    /// Adds an invocation, as far as sums go.
    pub(super) fn add(&mut self, receipt: &Receipt) {
        self.invocations += 1;
        self.failures += u64::from(is_failure(receipt) == Some(true));
        self.gas = self.gas.saturating_add(receipt.gas).min(ADDED_MAX);
        self.cpu_us = self.cpu_us.saturating_add(receipt.cpu_us).min(ADDED_MAX);
        self.memory_peak_bytes = self.memory_peak_bytes.max(receipt.memory_peak_bytes).min(ADDED_MAX);
    }
}

/// The bin of a wall time in microseconds: eight for each doubling. Below 16 µs each microsecond has its own.
pub fn wall_bin(wall_us: u64) -> u32 {
    let doublings = wall_us.checked_ilog2().unwrap_or_default();
    if doublings < BINS_BITS {
        return u32::try_from(wall_us).unwrap_or_default();
    }
    let within = (wall_us >> (doublings - BINS_BITS)) % BINS_PER_DOUBLING;
    (doublings - BINS_BITS + 1) * (1 << BINS_BITS) + u32::try_from(within).unwrap_or_default()
}

/// The middle of a bin, in microseconds: at most a sixteenth off from whatever falls into it.
pub fn wall_of_bin(bin: u32) -> u64 {
    let bin = u64::from(bin);
    if bin < BINS_PER_DOUBLING {
        return bin;
    }
    let shift = u32::try_from(bin / BINS_PER_DOUBLING - 1).unwrap_or(u32::MAX);
    let first = (BINS_PER_DOUBLING + bin % BINS_PER_DOUBLING).checked_shl(shift).unwrap_or(u64::MAX);
    let width = 1_u64.checked_shl(shift).unwrap_or(u64::MAX);
    first.saturating_add(width / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_tells_a_wall_time_to_a_sixteenth() {
        let mut before = 0;
        for exponent in 0..63 {
            for wall in [1_u64 << exponent, (1 << exponent) + (1 << exponent) / 3, (2 << exponent) - 1] {
                let bin = wall_bin(wall);
                assert!(bin >= before, "{wall}");
                before = bin;
                let told = wall_of_bin(bin);
                assert!(told.abs_diff(wall) <= wall / 16, "{wall}: {told}");
            }
        }
        assert_eq!((wall_bin(0), wall_of_bin(0)), (0, 0));
        assert!((0..16).all(|wall| wall_of_bin(wall_bin(wall)) == wall));
        assert_eq!(wall_bin(u64::MAX), 495);
        assert!(wall_of_bin(495) > 1 << 63);
        assert!(wall_of_bin(u32::MAX) > 0, "a bin that cannot be is no panic");
    }
}
