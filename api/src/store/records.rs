//! What the store is told, and tells, of receipts and log lines.

use wasmcloud_wire::{InvocationId, Timestamp};

/// Which records are asked for.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Of this invocation only.
    pub invocation: Option<InvocationId>,
    /// After this position only. Then the oldest come first, and the limit cuts the newest.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A record and its place in the order in which the store learned of records.
#[derive(Clone, Debug)]
pub struct Positioned<T> {
    /// The place.
    pub position: i64,
    /// The record.
    pub record: T,
}

/// The last positions that a follower has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positions {
    /// Of log lines.
    pub line: i64,
    /// Of receipts.
    pub receipt: i64,
}
