//! Of which refusals a handler's owner is told: one a minute, however many there are.

use std::collections::HashSet;

use wasmcloud_wire::{HandlerId, InvocationId, Level, LogLine, Record, Source, Timestamp};

/// Most handlers whose owners are told in one minute.
const HANDLERS_MAX: usize = 4_096;
const MINUTE_MS: i64 = 60_000;

/// The handlers whose owners were told in this minute.
#[derive(Debug, Default)]
pub(super) struct Told {
    minute: i64,
    handlers: HashSet<HandlerId>,
}

impl Told {
    /// Whether this refusal is one to tell of.
    pub(super) fn is_first(&mut self, handler: HandlerId, now: Timestamp) -> bool {
        let minute = now.0.div_euclid(MINUTE_MS);
        if minute != self.minute {
            self.minute = minute;
            self.handlers.clear();
        }
        self.handlers.len() < HANDLERS_MAX && self.handlers.insert(handler)
    }
}

/// What the handler's log says of an invocation that did not begin.
pub(super) fn record(handler: HandlerId, invocation: InvocationId, why: &str, now: Timestamp) -> Record {
    let line = LogLine {
        invocation,
        seq: 0,
        at: now,
        level: Level::WARNING,
        source: Source::Platform,
        text: format!("turned away: {why}. More of this minute are not logged."),
    };
    Record { handler, invocation, lines: vec![line], receipt: None, recording: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handlers_owner_is_told_once_a_minute_and_a_clock_that_jumps_back_keeps_nothing_from_them() {
        let (mut told, one, other) = (Told::default(), HandlerId::new(), HandlerId::new());
        let at = |minute: i64| Timestamp(minute * MINUTE_MS + 59_999);
        assert!(told.is_first(one, at(10)) && told.is_first(other, at(10)));
        assert!(!told.is_first(one, at(10)) && !told.is_first(other, at(10)));
        assert!(told.is_first(one, at(11)) && told.is_first(one, at(3)));
        assert!(!told.is_first(one, at(3)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut told = Told::default();
        let first = (0..2 * HANDLERS_MAX).filter(|_| told.is_first(HandlerId::new(), Timestamp(0))).count();
        assert_eq!(first, HANDLERS_MAX);
    }
}
