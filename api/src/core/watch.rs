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
use super::verdict::{enough_to_judge, in_words, is_clearly_worse};
use crate::store::{Newness, SettingRow, StoreError, TakeBack, WatchedVersion};

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
        if !enough_to_judge(tally) {
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
}
