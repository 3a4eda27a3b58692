//! How handlers did over time, made of the sums that are kept with their receipts.

use std::collections::HashMap;

use wasmcloud_wire::body::{Chart, ChartPoint, Span, Sparkline};
use wasmcloud_wire::{HandlerId, Timestamp};

use super::Core;
use crate::ApiError;
use crate::auth::Caller;
use crate::store::{StepWalls, Window, wall_of_bin};

const MINUTE_MS: i64 = 60_000;
/// How long the sums are kept: a week, and what is left of the day in which it begins.
const KEPT_MINUTES: i64 = 8 * 24 * 60;

impl Core {
    /// How a handler did, up to now.
    pub(crate) async fn chart(
        &self,
        handler: HandlerId,
        span: Span,
        now: Timestamp,
    ) -> Result<Chart, ApiError> {
        let window = window(span, now);
        let mut points = vec![ChartPoint::default(); window.steps as usize];
        for sums in self.store.chart_sums(handler, window).await? {
            if let Some(point) = points.get_mut(sums.step) {
                point.invocations = sums.invocations;
                point.failures = sums.failures;
                point.gas = sums.gas;
                point.cpu_us = sums.cpu_us;
                point.memory_peak_bytes = sums.memory_peak_bytes;
            }
        }
        let walls = self.store.chart_walls(handler, window).await?;
        for walls in walls.chunk_by(|one, next| one.step == next.step) {
            if let Some(point) = walls.first().and_then(|first| points.get_mut(first.step)) {
                point.p50_us = percentile(walls, 50);
                point.p99_us = percentile(walls, 99);
            }
        }
        let from = Timestamp(window.from_minute * MINUTE_MS);
        Ok(Chart { span, from, step_s: window.step_minutes * 60, points })
    }

    /// How often each handler ran that the caller can see, by name.
    pub(crate) async fn sparklines(
        &self,
        caller: &Caller,
        span: Span,
        now: Timestamp,
    ) -> Result<Vec<Sparkline>, ApiError> {
        let window = window(span, now);
        let mut rows = self.store.visible_handlers(caller.user.id).await?;
        rows.retain(|row| caller.reaches(&row.name));
        let ids: Vec<HandlerId> = rows.iter().map(|row| row.id).collect();
        let places: HashMap<_, _> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
        let nothing = vec![0; window.steps as usize];
        let line = |handler| Sparkline { handler, invocations: nothing.clone(), failures: nothing.clone() };
        let mut lines: Vec<Sparkline> = rows.into_iter().map(|row| line(row.name)).collect();
        for counts in self.store.chart_counts(&ids, window).await? {
            let Some(line) = places.get(&counts.handler).and_then(|place| lines.get_mut(*place)) else {
                continue;
            };
            if let Some(point) = line.invocations.get_mut(counts.step) {
                *point = counts.invocations;
            }
            if let Some(point) = line.failures.get_mut(counts.step) {
                *point = counts.failures;
            }
        }
        Ok(lines)
    }

    /// Drops the sums that no chart shows any more.
    pub(super) async fn prune_charts(&self, now: Timestamp) {
        match self.store.prune_charts(now.0.div_euclid(MINUTE_MS) - KEPT_MINUTES).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "dropped old sums of charts"),
            Err(error) => tracing::warn!(%error, "cannot drop old sums of charts"),
        }
    }
}

/// Whole steps, counted from 1970 in UTC; the last one is the one that goes on.
fn window(span: Span, now: Timestamp) -> Window {
    let (step_minutes, steps) = span.steps();
    let step_ms = i64::from(step_minutes) * MINUTE_MS;
    let first = now.0.div_euclid(step_ms) - i64::from(steps) + 1;
    Window { from_minute: first * i64::from(step_minutes), step_minutes, steps }
}

/// So many in a hundred took no longer, in microseconds. The bins are in their order.
fn percentile(walls: &[StepWalls], percent: u64) -> u64 {
    let all: u64 = walls.iter().map(|walls| walls.count).sum();
    let wanted = all.saturating_mul(percent).div_ceil(100);
    let mut seen = 0;
    let reached = walls.iter().find(|walls| {
        seen += walls.count;
        seen >= wanted
    });
    reached.map_or(0, |walls| wall_of_bin(walls.bin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::wall_bin;

    #[test]
    fn a_window_is_of_whole_steps_and_ends_with_the_one_that_goes_on() {
        // 2020-09-13T12:26:40Z
        let now = Timestamp(1_600_000_000_000);
        for (span, first, end) in [
            (Span::Hour, "2020-09-13T11:27:00.000Z", "2020-09-13T12:27:00.000Z"),
            (Span::Day, "2020-09-12T12:30:00.000Z", "2020-09-13T12:30:00.000Z"),
            (Span::Week, "2020-09-06T14:00:00.000Z", "2020-09-13T14:00:00.000Z"),
        ] {
            let window = window(span, now);
            assert_eq!(Timestamp(window.from_minute * MINUTE_MS).rfc3339(), first);
            let minutes = i64::from(window.step_minutes * window.steps);
            assert_eq!(Timestamp((window.from_minute + minutes) * MINUTE_MS).rfc3339(), end);
        }
    }

    #[test]
    fn percentiles_are_within_a_twelfth_of_the_exact_ones() {
        let mut state = 7_u64;
        for size in [1_usize, 2, 3, 99, 100, 101, 5_000] {
            let mut exact: Vec<u64> = (0..size)
                .map(|_| {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    // From 0 to some minutes, with as many short ones as long ones.
                    (state >> 20) >> (16 + (state >> 56) % 28)
                })
                .collect();
            exact.sort_unstable();
            let mut walls: Vec<StepWalls> = Vec::new();
            for wall in &exact {
                let bin = wall_bin(*wall);
                match walls.last_mut().filter(|last| last.bin == bin) {
                    Some(last) => last.count += 1,
                    None => walls.push(StepWalls { step: 0, bin, count: 1 }),
                }
            }
            for percent in [50, 99] {
                let exact = exact[(size * percent).div_ceil(100) - 1];
                let told = percentile(&walls, percent as u64);
                assert!(told.abs_diff(exact) <= exact / 12, "{size}, {percent}: {exact} told as {told}");
            }
        }
        assert_eq!(percentile(&[], 50), 0);
    }
}
