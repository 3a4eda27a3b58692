//! What may happen now and then, but not all the time.

use std::time::Duration;

use tokio::time::Instant;

/// A number of tries, of which some come back each second.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u32,
    max: u32,
    per_second: u32,
    /// When tries came back last.
    since: Instant,
}

impl Budget {
    pub(crate) fn new(max: u32, per_second: u32, now: Instant) -> Budget {
        Budget { left: max, max, per_second, since: now }
    }

    /// Takes a try; `false` if there is none left.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let seconds = now.saturating_duration_since(self.since).as_secs();
        if seconds > 0 {
            let back = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(self.per_second);
            self.left = self.left.saturating_add(back).min(self.max);
            self.since += Duration::from_secs(seconds);
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_back_with_time_and_never_more_than_there_were() {
        let begin = Instant::now();
        let mut budget = Budget::new(3, 1, begin);
        assert_eq!([true, true, true, false].map(|_| budget.take(begin)), [true, true, true, false]);
        let later = begin + Duration::from_secs(2);
        assert_eq!([(); 3].map(|()| budget.take(later)), [true, true, false]);
        let much_later = begin + Duration::from_secs(3600);
        assert_eq!([(); 4].map(|()| budget.take(much_later)), [true, true, true, false]);
    }
}
