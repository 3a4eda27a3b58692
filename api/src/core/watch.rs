//! Automatic rollback: a new version that clearly fails more than the one before it is taken back.
//!
//! Watched is a version that became live in the place of one with a smaller number, for [`WATCHED_FOR`], and one
//! that answers a part of the clients, for as long as it does. Going back is never watched, by whomever: so two
//! versions that both fail are not exchanged again and again. Every API process looks; the store lets one of them
//! act.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
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

impl Core {
    /// Takes back new versions that clearly fail more than their predecessors, until `shutdown`.
    pub(crate) async fn watch_until(&self, invoker: &Arc<dyn Invoker>, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = HashSet::new();
        let mut is_away = false;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.look(invoker, &mut told, Timestamp::now()).await {
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

    /// One look at everything that is new. `told` are those of which it is known that they stay.
    async fn look(
        &self,
        invoker: &Arc<dyn Invoker>,
        told: &mut HashSet<(HandlerId, Timestamp)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let watched = self.store.watched(before(now, WATCHED_FOR)).await?;
        told.retain(|known| watched.iter().any(|version| *known == (version.handler, version.since)));
        for version in watched {
            if told.contains(&(version.handler, version.since)) {
                continue;
            }
            if let Some(why) = self.verdict(&version, now).await? {
                self.act(invoker, told, &version, why).await?;
            }
        }
        Ok(())
    }

    /// Why a version is to be taken back, if it is.
    async fn verdict(
        &self,
        version: &WatchedVersion,
        now: Timestamp,
    ) -> Result<Option<RolledBack>, StoreError> {
        let WatchedVersion { handler, new, old, since, .. } = *version;
        let (new_since, old_since, when) = match version.newness {
            Newness::Promoted => (since, before(since, PREDECESSOR_SINCE), "since it became live"),
            Newness::Split => {
                let both = since.max(before(now, SPLIT_SINCE));
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
        told: &mut HashSet<(HandlerId, Timestamp)>,
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
                told.insert((handler, version.since));
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
    fn a_rate_is_said_in_words() {
        let version = wasmcloud_wire::VersionNumber(2);
        assert_eq!(in_words(version, tally(12, 31)), "version 2 failed 12 of 31 requests (38 %)");
        assert_eq!(in_words(version, tally(0, 0)), "version 2 failed 0 of 0 requests (0 %)");
    }
}
