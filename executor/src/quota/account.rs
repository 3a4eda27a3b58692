//! What one account has run, and what its plan still allows.
//!
//! Windows are minutes and days of UTC by the wall clock. A wall clock may jump: a window ends as soon as the clock
//! names another one, be it an earlier one, and also when as much time as it is long has gone by on a clock that does
//! not jump. So nobody is turned away for longer than a window.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use wasmcloud_wire::{AccountQuota, AccountUse, GONE_AFTER_S, InvokeError, Timestamp, UserId};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const MINUTES_IN_DAY: i64 = DAY_MS / MINUTE_MS;
/// How much slower than time itself the wall clock may go without its windows being cut short.
const CLOCK_SLACK: Duration = Duration::from_secs(1);
/// What whoever finds too much running is told to wait, in seconds.
const CONCURRENT_RETRY_AFTER_S: u32 = 1;

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// What people call it.
    pub(crate) wall: Timestamp,
    /// What durations are measured by.
    pub(crate) at: Instant,
}

impl Moment {
    /// The machine's own clocks.
    pub(crate) fn now() -> Moment {
        Moment { wall: Timestamp::now(), at: Instant::now() }
    }

    fn minute(self) -> i64 {
        self.wall.0.div_euclid(MINUTE_MS)
    }

    /// The day, in days since 1970, UTC.
    pub(super) fn day(self) -> i64 {
        self.wall.0.div_euclid(DAY_MS)
    }

    /// When the window of this length ends that the wall clock is in.
    fn end_of(self, window_ms: i64) -> Timestamp {
        Timestamp((self.wall.0.div_euclid(window_ms) + 1).saturating_mul(window_ms))
    }

    /// Seconds until then, rounded up.
    fn seconds_until(self, then: Timestamp) -> u32 {
        let ms = then.0.saturating_sub(self.wall.0).max(1);
        u32::try_from(ms.saturating_add(999) / 1000).unwrap_or(u32::MAX)
    }
}

/// A minute or a day in which something is counted.
#[derive(Clone, Copy, Debug)]
struct Window {
    number: i64,
    began: Instant,
}

impl Window {
    fn is_over(&self, number: i64, at: Instant, length_ms: i64) -> bool {
        let length = Duration::from_millis(length_ms.unsigned_abs());
        number != self.number || at.saturating_duration_since(self.began) >= length + CLOCK_SLACK
    }
}

/// What an account has run on this executor, and on all others as far as that is known.
#[derive(Debug)]
pub(super) struct Account {
    minute: Window,
    day: Window,
    minute_invocations: u64,
    invocations: u64,
    cpu_us: u64,
    /// Those that wait for a place are among them.
    running: u32,
    others: Option<Others>,
    /// The day before, as long as it is not told.
    ended: Option<AccountUse>,
    /// Goes up with every change, so that it is known what is not told yet.
    changes: u64,
    told: u64,
    /// Who waits for one of the running to end, once somebody had to.
    freed: Option<Arc<Notify>>,
}

/// What all other executors have run for the account.
#[derive(Debug)]
struct Others {
    used: AccountUse,
    heard: Instant,
}

/// What an account has run in this minute and day, and runs now.
#[derive(Clone, Copy)]
struct Used {
    minute: u64,
    cpu_us: u64,
    running: u64,
}

/// The windows that an invocation was counted in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    minute: i64,
    day: i64,
}

/// Why an invocation may not begin.
#[derive(Debug)]
pub(super) struct Spent {
    /// What is told.
    pub(super) error: InvokeError,
    /// Notified when one of those that run has ended, if that would help.
    pub(super) freed: Option<Arc<Notify>>,
}

impl Account {
    pub(super) fn new(now: Moment) -> Account {
        Account {
            minute: Window { number: now.minute(), began: now.at },
            day: Window { number: now.day(), began: now.at },
            minute_invocations: 0,
            invocations: 0,
            cpu_us: 0,
            running: 0,
            others: None,
            ended: None,
            changes: 0,
            told: 0,
            freed: None,
        }
    }

    /// Counts an invocation that is about to begin, if the quota allows one more.
    pub(super) fn begin(
        &mut self,
        account: UserId,
        quota: &AccountQuota,
        now: Moment,
    ) -> Result<Counted, Spent> {
        self.turn(account, now);
        // Whoever is turned away wants to hear of what others run as well.
        self.changes += 1;
        self.check(quota, now)?;
        self.minute_invocations += 1;
        self.invocations += 1;
        self.running += 1;
        Ok(Counted { minute: self.minute.number, day: self.day.number })
    }

    /// Whether the minute and the day have room for one more. Nothing is counted.
    pub(super) fn look(&mut self, account: UserId, quota: &AccountQuota, now: Moment) -> Result<(), Spent> {
        self.turn(account, now);
        let looked = self.check_windows(quota, self.used_by_all(now), now);
        if looked.is_err() {
            // Whoever is turned away wants to hear of what others run as well.
            self.changes += 1;
        }
        looked
    }

    /// Takes an invocation back that did not begin after all.
    pub(super) fn take_back(&mut self, counted: Counted) {
        if counted.minute == self.minute.number {
            self.minute_invocations = self.minute_invocations.saturating_sub(1);
        }
        if counted.day == self.day.number {
            self.invocations = self.invocations.saturating_sub(1);
        }
    }

    /// One of those that run has ended.
    pub(super) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
        self.changes += 1;
        if let Some(freed) = &self.freed {
            freed.notify_one();
        }
    }

    /// Counts CPU time that was used.
    pub(super) fn charge(&mut self, account: UserId, cpu_us: u64, now: Moment) {
        self.turn(account, now);
        self.cpu_us = self.cpu_us.saturating_add(cpu_us);
        self.changes += 1;
    }

    /// Begins counting anew in windows that are over.
    fn turn(&mut self, account: UserId, now: Moment) {
        if self.minute.is_over(now.minute(), now.at, MINUTE_MS) {
            self.minute = Window { number: now.minute(), began: now.at };
            self.minute_invocations = 0;
        }
        if self.day.is_over(now.day(), now.at, DAY_MS) {
            if self.changes != self.told && self.day.number != now.day() {
                self.ended = Some(self.whole_day(account));
            }
            self.day = Window { number: now.day(), began: now.at };
            self.invocations = 0;
            self.cpu_us = 0;
        }
    }

    /// The sums of the day, as they are told when it is over.
    fn whole_day(&self, account: UserId) -> AccountUse {
        AccountUse {
            account,
            day: self.day.number,
            invocations: self.invocations,
            cpu_us: self.cpu_us,
            minute: (self.day.number + 1).saturating_mul(MINUTES_IN_DAY) - 1,
            minute_invocations: 0,
            // Those that still run are told with the new day.
            running: 0,
        }
    }

    fn check(&mut self, quota: &AccountQuota, now: Moment) -> Result<(), Spent> {
        let used = self.used_by_all(now);
        self.check_windows(quota, used, now)?;
        let (plan, running) = (&quota.plan, used.running);
        if let Some(max) = quota.concurrent_max.filter(|max| running >= *max) {
            let message = format!(
                "the quota `concurrent` of the plan `{plan}` is used up: {running} of {max} are running; there is room when \
                 one of them ends"
            );
            let freed = self.freed.get_or_insert_default().clone();
            return Err(Spent { freed: Some(freed), ..Spent::until(message, CONCURRENT_RETRY_AFTER_S) });
        }
        Ok(())
    }

    /// What this executor and all others have run, as far as that is known.
    fn used_by_all(&self, now: Moment) -> Used {
        let (mut minute, mut cpu_us, mut running) =
            (self.minute_invocations, self.cpu_us, u64::from(self.running));
        if let Some(Others { used, heard }) = &self.others {
            let age = now.at.saturating_duration_since(*heard);
            let window = |ms: i64| Duration::from_millis(ms.unsigned_abs());
            if used.minute == self.minute.number && age < window(MINUTE_MS) {
                minute = minute.saturating_add(used.minute_invocations);
            }
            if used.day == self.day.number && age < window(DAY_MS) {
                cpu_us = cpu_us.saturating_add(used.cpu_us);
            }
            if age < Duration::from_secs(GONE_AFTER_S) {
                running = running.saturating_add(u64::from(used.running));
            }
        }
        Used { minute, cpu_us, running }
    }

    fn check_windows(&self, quota: &AccountQuota, used: Used, now: Moment) -> Result<(), Spent> {
        let Used { minute, cpu_us, .. } = used;
        let plan = &quota.plan;
        if let Some(max) = quota.invocations_per_minute_max.filter(|max| minute >= *max) {
            let resets = now.end_of(MINUTE_MS);
            let at = resets.rfc3339();
            let at = at.get(11..19).unwrap_or_default();
            let message = format!(
                "the quota `invocations_per_minute` of the plan `{plan}` is used up: {minute} of {max}; it resets at {at} \
                 UTC"
            );
            return Err(Spent::until(message, now.seconds_until(resets)));
        }
        let cpu_ms = cpu_us / 1000;
        if let Some(max) = quota.cpu_ms_per_day_max.filter(|max| cpu_ms >= *max) {
            let resets = now.end_of(DAY_MS);
            let on = resets.rfc3339();
            let on = on.get(..10).unwrap_or_default();
            let message = format!(
                "the quota `cpu_ms_per_day` of the plan `{plan}` is used up: {cpu_ms} ms of {max} ms; it resets at 00:00:00 \
                 UTC on {on}"
            );
            return Err(Spent::until(message, now.seconds_until(resets)));
        }
        Ok(())
    }

    /// Whether there is something to tell, or to hear.
    pub(super) fn is_due(&self) -> bool {
        self.running > 0 || self.ended.is_some() || self.changes != self.told
    }

    /// The day that is over and was not told, and today, as of `now`; and where in its changes that is.
    pub(super) fn used(&mut self, account: UserId, now: Moment) -> (Option<AccountUse>, AccountUse, u64) {
        self.turn(account, now);
        let used = AccountUse {
            account,
            day: self.day.number,
            invocations: self.invocations,
            cpu_us: self.cpu_us,
            minute: self.minute.number,
            minute_invocations: self.minute_invocations,
            running: self.running,
        };
        (self.ended.clone(), used, self.changes)
    }

    /// What was told has arrived, and this is what others have run.
    pub(super) fn heard(
        &mut self,
        changes: u64,
        ended_day: Option<i64>,
        others: Option<AccountUse>,
        now: Moment,
    ) {
        self.told = changes;
        if self.ended.as_ref().map(|ended| ended.day) == ended_day {
            self.ended = None;
        }
        self.others = others.map(|used| Others { used, heard: now.at });
        if let (Some(freed), true) = (&self.freed, self.others.is_some()) {
            // Elsewhere something may have ended.
            freed.notify_one();
        }
    }

    /// Whether nothing is lost with it: nothing runs, all is told, and the day is over.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        !self.is_due() && self.day.is_over(now.day(), now.at, DAY_MS)
    }

    /// Whether it may be forgotten where there is no room: nothing runs, and the minute is over.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        self.running == 0 && self.minute.is_over(now.minute(), now.at, MINUTE_MS)
    }

    /// Whether nothing runs.
    pub(super) fn is_still(&self) -> bool {
        self.running == 0
    }
}

impl Spent {
    fn until(message: String, retry_after_s: u32) -> Spent {
        Spent { error: InvokeError::OverQuota { message, retry_after_s }, freed: None }
    }
}
