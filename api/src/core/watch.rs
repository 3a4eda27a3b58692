//! Automatic rollback: a new version that clearly fails more than the one before it is taken back.
//!
//! Watched is a version that became live in the place of one with a smaller number, for [`WATCHED_FOR`], and one
//! that answers a part of the clients, for as long as it does. Going back is never watched, by whomever: so two
//! versions that both fail are not exchanged again and again. Every API process looks; the store lets one of them
//! act.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wasmcloud_wire::body::RolledBack;
use wasmcloud_wire::{
    Change, HandlerId, Inspection, InvocationId, Invoker, Level, LogLine, Policy, Record, Source, Timestamp,
};

use super::Core;
use crate::store::{Newness, SettingRow, StoreError, TakeBack, Tally, WatchedVersion};

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a version is watched after it became live.
const WATCHED_FOR: Duration = Duration::from_secs(10 * 60);
/// How far back before that moment its predecessor's requests count.
const PREDECESSOR_SINCE: Duration = Duration::from_secs(24 * 60 * 60);
/// How far back the requests of both versions of a split count, at most to its begin.
const SPLIT_SINCE: Duration = Duration::from_secs(60 * 60);
/// At how many looks in a row a version has to be worse before it is taken back: enough for every executor to have
/// said meanwhile whether it dropped records.
const LOOKS: u32 = 3;
/// Since when executors count that were heard of last.
const EXECUTORS_SINCE: Duration = Duration::from_secs(60 * 60);
/// How many of a version's requests count, the newest.
const REQUESTS_COUNTED_MAX: u32 = 10_000;
/// How many requests a new version has answered, and failed, before it is judged.
const REQUESTS_MIN: u64 = 20;
const FAILED_MIN: u64 = 5;
/// How many standard deviations wide the intervals are, to each side. A new version is looked at some hundred
/// times: the 1.96 of a single look would take good versions back by chance.
const DEVIATIONS: f64 = 3.0;

/// Whether a version clearly fails more than another: it has answered enough requests to tell, and even the lowest
/// rate of failures that they leave likely is above the highest that is likely of the other. The bounds are those
/// of Wilson's score interval. A version without requests is never exceeded: its interval is everything.
fn is_clearly_worse(new: Tally, old: Tally) -> bool {
    new.requests >= REQUESTS_MIN && new.failed >= FAILED_MIN && wilson(new).0 > wilson(old).1
}

/// Between which rates a version's true rate of failures likely is.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn wilson(tally: Tally) -> (f64, f64) {
    if tally.requests == 0 {
        return (0.0, 1.0);
    }
    let (n, square) = (tally.requests as f64, DEVIATIONS * DEVIATIONS);
    let rate = tally.failed as f64 / n;
    let middle = rate + square / (2.0 * n);
    let reach = DEVIATIONS * (rate * (1.0 - rate) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    ((middle - reach) / scale, (middle + reach) / scale)
}

/// What a version failed, in words: `version 2 failed 12 of 31 requests (38 %)`.
fn in_words(version: wasmcloud_wire::VersionNumber, tally: Tally) -> String {
    let Tally { requests, failed } = tally;
    let percent = (failed * 100).checked_div(requests).unwrap_or(0);
    format!("version {version} failed {failed} of {requests} requests ({percent} %)")
}

/// A version that is watched, as it is remembered from one look to the next.
type Key = (HandlerId, Timestamp);

/// What is remembered from one look to the next.
#[derive(Default)]
struct Memory {
    /// Versions of which it is known that there is no way back.
    stay: HashSet<Key>,
    /// Versions that were worse at so many looks in a row.
    worse: HashMap<Key, u32>,
    /// How many records each executor had dropped since its start.
    dropped: HashMap<Uuid, u64>,
    /// Requests before this moment count for no version that is new. Where records are dropped, successes go first:
    /// what is left would make any version look worse than it is.
    counted_from: Timestamp,
}

impl Memory {
    /// Learns how many records executors have dropped.
    fn learn_drops(&mut self, executors: impl Iterator<Item = (Uuid, u64)>, now: Timestamp) {
        let dropped: HashMap<Uuid, u64> = executors.collect();
        if dropped.iter().any(|(id, count)| *count > self.dropped.get(id).copied().unwrap_or(0)) {
            self.counted_from = now;
        }
        self.dropped = dropped;
    }

    /// Forgets versions that are not watched any more.
    fn keep_only(&mut self, watched: &[WatchedVersion]) {
        let keys: HashSet<Key> = watched.iter().map(key).collect();
        self.stay.retain(|known| keys.contains(known));
        self.worse.retain(|known, _| keys.contains(known));
    }

    /// Notes down whether a version is worse at this look; true once it is to be taken back.
    fn is_confirmed(&mut self, version: &WatchedVersion, is_worse: bool) -> bool {
        if !is_worse {
            self.worse.remove(&key(version));
            return false;
        }
        let looks = self.worse.entry(key(version)).or_insert(0);
        *looks += 1;
        *looks >= LOOKS
    }
}

fn key(version: &WatchedVersion) -> Key {
    (version.handler, version.since)
}

impl Core {
    /// Takes back new versions that clearly fail more than their predecessors, until `shutdown`.
    pub(crate) async fn watch_until(&self, invoker: &Arc<dyn Invoker>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut memory = Memory::default();
        let mut is_away = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.look(invoker, &mut memory, Timestamp::now()).await {
                Ok(()) => is_away = false,
                // Once, not every two seconds.
                Err(_) if is_away => {}
                Err(error) => {
                    is_away = true;
                    tracing::warn!(%error, "new versions cannot be watched; trying again");
                }
            }
        }
    }

    /// One look at everything that is new.
    async fn look(
        &self,
        invoker: &Arc<dyn Invoker>,
        memory: &mut Memory,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let watched = self.store.watched(before(now, WATCHED_FOR)).await?;
        memory.keep_only(&watched);
        let executors = self.store.executors(before(now, EXECUTORS_SINCE)).await?;
        memory.learn_drops(executors.iter().map(|(report, _)| (report.id, report.records_dropped)), now);
        for version in watched {
            if memory.stay.contains(&key(&version)) {
                continue;
            }
            let why = self.verdict(&version, memory.counted_from, now).await?;
            if memory.is_confirmed(&version, why.is_some())
                && let Some(why) = why
            {
                self.act(invoker, memory, &version, why).await?;
            }
        }
        Ok(())
    }

    /// Why a version is to be taken back, if it is.
    async fn verdict(
        &self,
        version: &WatchedVersion,
        counted_from: Timestamp,
        now: Timestamp,
    ) -> Result<Option<RolledBack>, StoreError> {
        let WatchedVersion { handler, new, old, since, .. } = *version;
        let (new_since, old_since, when) = match version.newness {
            Newness::Promoted => {
                (since.max(counted_from), before(since, PREDECESSOR_SINCE), "since it became live")
            }
            Newness::Split => {
                let both = since.max(counted_from).max(before(now, SPLIT_SINCE));
                (both, both, "of the clients that it answers")
            }
        };
        let tally = self.store.tally(handler, new, new_since, REQUESTS_COUNTED_MAX).await?;
        // Most versions are well, and need no second question.
        if tally.requests < REQUESTS_MIN || tally.failed < FAILED_MIN {
            return Ok(None);
        }
        let old_tally = self.store.tally(handler, old, old_since, REQUESTS_COUNTED_MAX).await?;
        let reason = || format!("{} {when}, {}", in_words(new, tally), in_words(old, old_tally));
        let why = || RolledBack { from: new, to: old, at: now, reason: reason() };
        Ok(is_clearly_worse(tally, old_tally).then(why))
    }

    async fn act(
        &self,
        invoker: &Arc<dyn Invoker>,
        memory: &mut Memory,
        version: &WatchedVersion,
        why: RolledBack,
    ) -> Result<(), StoreError> {
        let WatchedVersion { handler, ref name, new, old, .. } = *version;
        let fits = |policy: &Policy, settings: &[SettingRow], module: &Inspection| {
            self.fits(policy, settings, module)
        };
        let (done, again) = match version.newness {
            Newness::Promoted => (format!("version {old} is live again"), String::new()),
            Newness::Split => (format!("version {old} answers everyone again"), " --percent 10".to_owned()),
        };
        let line = format!(
            "automatic rollback: {}: {done}. When version {new} is in order: wasmcloud promote {name} {new}{again}; \
             to keep versions whatever they fail: wasmcloud set {name} --auto-rollback off",
            why.reason
        );
        match self.store.take_back(version, &why, &line, &fits).await? {
            TakeBack::Done(_) => {
                tracing::warn!(handler = %name, from = %new, to = %old, reason = why.reason, "automatic rollback");
                self.announce(invoker, Change::Handler { name: name.clone() }).await;
            }
            TakeBack::Overtaken => return Ok(()),
            TakeBack::Refused(unfit) => {
                memory.stay.insert(key(version));
                let error = self.unfit(name, &format!("version {old}"), unfit);
                tracing::warn!(handler = %name, from = %new, to = %old, reason = why.reason, error = error.message,
                    "an automatic rollback is not possible");
                let text =
                    format!("{}, but there is no way back: {}: {}", why.reason, error.message, error.hint);
                self.store.record(&[platform_line(handler, why.at, text)]).await?;
            }
        }
        self.hub.wake(handler);
        Ok(())
    }
}

fn before(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp(moment.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// A line of the platform's own in a handler's log. It belongs to no invocation, and has an id of its own.
fn platform_line(handler: HandlerId, at: Timestamp, text: String) -> Record {
    let invocation = InvocationId::new();
    let line = LogLine { invocation, seq: 0, at, level: Level::ERROR, source: Source::Platform, text };
    Record { handler, invocation, lines: vec![line], receipt: None, recording: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(failed: u64, requests: u64) -> Tally {
        Tally { requests, failed }
    }

    #[test]
    fn a_version_is_taken_back_only_if_it_clearly_fails_more_than_the_one_before() {
        for (new, old, is_worse, case) in [
            (tally(20, 20), tally(0, 1_000), true, "everything fails, and nothing did"),
            (tally(20, 20), tally(0, 5), true, "everything fails, and a few did not"),
            (tally(10, 100), tally(0, 1_000), true, "a tenth fails, and nothing did"),
            (tally(500, 1_000), tally(100, 1_000), true, "half fails, where a tenth did"),
            (tally(19, 19), tally(0, 1_000), false, "too few requests to tell"),
            (tally(4, 1_000), tally(0, 10_000), false, "too few failures to tell"),
            (tally(20, 20), tally(20, 20), false, "both fail"),
            (tally(20, 20), tally(0, 0), false, "nothing is known of the one before"),
            (tally(20, 20), tally(0, 1), false, "next to nothing is known of it"),
            (tally(6, 30), tally(10, 100), false, "a fifth of few may be a tenth"),
            (tally(100, 1_000), tally(90, 1_000), false, "about the same"),
            (tally(100, 1_000), tally(500, 1_000), false, "it is better"),
            (tally(0, 10_000), tally(0, 10_000), false, "both are well"),
        ] {
            assert_eq!(
                is_clearly_worse(new, old),
                is_worse,
                "{case}: {:?} and {:?}",
                wilson(new),
                wilson(old)
            );
        }
    }

    #[test]
    fn an_interval_holds_its_rate_and_is_narrower_the_more_is_known() {
        for (failed, requests) in [(0, 1), (1, 1), (3, 20), (300, 2_000), (2_000, 2_000)] {
            let (low, high) = wilson(tally(failed, requests));
            let rate = failed as f64 / requests as f64;
            let rounding = 1e-9;
            assert!(-rounding <= low && low <= rate + rounding, "{failed} of {requests}: {low}");
            assert!(rate - rounding <= high && high <= 1.0 + rounding, "{failed} of {requests}: {high}");
        }
        let width =
            |requests| wilson(tally(requests / 10, requests)).1 - wilson(tally(requests / 10, requests)).0;
        assert!(width(1_000) < width(100) && width(100) < width(10));
    }

    #[test]
    fn requests_from_before_records_were_dropped_do_not_count() {
        let mut memory = Memory::default();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        for (executors, now, counted_from, case) in [
            (vec![(one, 0)], 10, 0, "nothing was dropped"),
            (vec![(one, 5)], 20, 20, "records were dropped"),
            (vec![(one, 5)], 30, 20, "none since"),
            (vec![(one, 5), (other, 7)], 40, 40, "another executor has dropped some, nobody knows when"),
            (vec![(other, 7)], 50, 40, "one is gone"),
            (vec![(other, 8)], 60, 60, "and another record"),
        ] {
            memory.learn_drops(executors.into_iter(), Timestamp(now));
            assert_eq!(memory.counted_from, Timestamp(counted_from), "{case}");
        }
    }

    #[test]
    fn a_version_has_to_be_worse_at_several_looks_in_a_row() {
        let version = WatchedVersion {
            handler: HandlerId::new(),
            name: "hello".parse().unwrap(),
            owner: wasmcloud_wire::UserId::new(),
            newness: Newness::Promoted,
            new: wasmcloud_wire::VersionNumber(2),
            old: wasmcloud_wire::VersionNumber(1),
            since: Timestamp(0),
        };
        let mut memory = Memory::default();
        let looks = [true, true, false, true, true, true];
        let confirmed = looks.map(|is_worse| memory.is_confirmed(&version, is_worse));
        assert_eq!(confirmed, [false, false, false, false, false, true]);
        memory.keep_only(&[]);
        assert!(memory.worse.is_empty());
    }

    #[test]
    fn a_rate_is_said_in_words() {
        let version = wasmcloud_wire::VersionNumber(2);
        assert_eq!(in_words(version, tally(12, 31)), "version 2 failed 12 of 31 requests (38 %)");
        assert_eq!(in_words(version, tally(0, 0)), "version 2 failed 0 of 0 requests (0 %)");
    }
}
