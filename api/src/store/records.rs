//! What the store is told, and tells, of receipts and log lines.

use async_trait::async_trait;
use wasmcloud_wire::{HandlerId, InvocationId, Level, LogLine, Receipt, Timestamp};

use super::StoreError;

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

/// Which lines are wanted, by what they say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFilter {
    /// At least as severe as this.
    pub level: Option<Level>,
    /// Containing this; ASCII letters in either case.
    pub text: Option<String>,
}

impl LineFilter {
    /// Whether every line is wanted.
    pub fn is_empty(&self) -> bool {
        self.level.is_none() && self.text.is_none()
    }

    /// Whether this line is wanted.
    pub fn wants(&self, line: &LogLine) -> bool {
        let contains = |text: &String| line.text.to_ascii_lowercase().contains(&text.to_ascii_lowercase());
        self.level.is_none_or(|level| line.level.0 <= level.0) && self.text.as_ref().is_none_or(contains)
    }
}

/// A search for log lines among those that are there.
#[derive(Clone, Debug)]
pub struct LineSearch {
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this invocation only.
    pub invocation: Option<InvocationId>,
    /// What they say.
    pub filter: LineFilter,
    /// At most so many.
    pub limit: u32,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct FoundLines {
    /// The newest lines that are wanted, in the order of their positions.
    pub lines: Vec<Positioned<LogLine>>,
    /// Lines before this time were not all looked at; absent if all were, or enough lines were found.
    pub more_before: Option<Timestamp>,
}

/// A search for receipts.
#[derive(Clone, Debug)]
pub struct ReceiptSearch {
    /// Not begun before this time.
    pub since: Option<Timestamp>,
    /// Begun before this invocation.
    pub before: Option<InvocationId>,
    /// Of failures only: see [`is_failure`](super::is_failure).
    pub failed: bool,
    /// At most so many.
    pub limit: u32,
}

/// Looking for records.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// The newest lines that are wanted, among the newest tens of thousands.
    async fn search_lines(&self, handler: HandlerId, search: &LineSearch) -> Result<FoundLines, StoreError>;
    /// The newest receipts that are wanted, newest first. `None` if the invocation that they are to be before is
    /// none of this handler's.
    async fn search_receipts(
        &self,
        handler: HandlerId,
        search: &ReceiptSearch,
    ) -> Result<Option<Vec<Positioned<Receipt>>>, StoreError>;
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::Source;

    use super::*;

    #[test]
    fn a_line_is_wanted_by_its_level_and_by_what_it_says() {
        let line = LogLine {
            invocation: InvocationId::new(),
            seq: 0,
            at: Timestamp(0),
            level: Level::WARNING,
            source: Source::Log,
            text: "Disk is 100% full".to_owned(),
        };
        let wants =
            |level, text: Option<&str>| LineFilter { level, text: text.map(ToOwned::to_owned) }.wants(&line);
        assert!(wants(None, None) && wants(Some(Level::WARNING), None) && wants(Some(Level::INFO), None));
        assert!(!wants(Some(Level::ERROR), None));
        assert!(wants(None, Some("disk IS 100%")) && !wants(None, Some("disk%full")));
        assert!(!wants(Some(Level::ERROR), Some("disk")));
    }
}
