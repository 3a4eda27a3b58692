//! What a guest uses while it runs, seen from its own thread and from whoever watches it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::trust::Trust;

/// Functions or interfaces whose calls are counted apart.
pub(crate) const CALLS_MAX: usize = 64;

/// What a guest has used so far.
pub(crate) struct Usage {
    /// Host calls, by the number of their function or interface.
    calls: [AtomicU64; CALLS_MAX],
    /// CPU time of polls that are over, in nanoseconds.
    cpu_ns: AtomicU64,
    /// What the thread's clock said when the present poll began; 0 between polls.
    poll_began_ns: AtomicU64,
    /// Whether the present poll ends because others on the thread have their turn.
    yielded: AtomicBool,
    memory_peak: AtomicU64,
    memory_refused: AtomicU64,
    gas: AtomicU64,
}

impl Default for Usage {
    fn default() -> Usage {
        Usage {
            calls: [const { AtomicU64::new(0) }; CALLS_MAX],
            cpu_ns: AtomicU64::new(0),
            poll_began_ns: AtomicU64::new(0),
            yielded: AtomicBool::new(false),
            memory_peak: AtomicU64::new(0),
            memory_refused: AtomicU64::new(0),
            gas: AtomicU64::new(0),
        }
    }
}

impl Usage {
    /// Counts a host call.
    pub(crate) fn call(&self, number: usize) {
        if let Some(count) = self.calls.get(number) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The host calls that were made, by the names of their numbers.
    pub(crate) fn calls(&self, names: &[&'static str]) -> BTreeMap<&'static str, u64> {
        let counts = self.calls.iter().map(|count| count.load(Ordering::Relaxed));
        names.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
    }

    /// CPU time so far. Exact on the thread that the guest runs on; elsewhere that of the polls that are over.
    pub(crate) fn cpu(&self) -> Duration {
        let began = self.poll_began_ns.load(Ordering::Relaxed);
        let running = if began == 0 { 0 } else { thread_cpu_ns().saturating_sub(began) };
        Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed).saturating_add(running))
    }

    /// CPU time of all polls that are over.
    pub(crate) fn cpu_before(&self) -> Duration {
        Duration::from_nanos(self.cpu_ns.load(Ordering::Relaxed))
    }

    /// Notes that the guest waits for nothing but its next turn.
    pub(crate) fn yields(&self) {
        self.yielded.store(true, Ordering::Relaxed);
    }

    /// Whether the poll that is over ended so.
    pub(crate) fn has_yielded(&self) -> bool {
        self.yielded.swap(false, Ordering::Relaxed)
    }

    /// Notes how large the memories are together.
    pub(crate) fn has_memory(&self, bytes: u64) {
        self.memory_peak.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Notes that the memories were not allowed to grow to so many bytes.
    pub(crate) fn refuse_memory(&self, bytes: u64) {
        self.memory_refused.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Notes the instructions that were executed, where they are counted.
    pub(crate) fn has_spent(&self, gas: u64) {
        self.gas.store(gas, Ordering::Relaxed);
    }

    pub(crate) fn memory_peak_bytes(&self) -> u64 {
        self.memory_peak.load(Ordering::Relaxed)
    }

    pub(crate) fn memory_refused_bytes(&self) -> Option<u64> {
        Some(self.memory_refused.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    pub(crate) fn gas(&self) -> u64 {
        self.gas.load(Ordering::Relaxed)
    }
}

/// CPU time of the thread that asks, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// A future whose CPU time is measured.
pub(crate) struct Timed<'a, F> {
    future: Pin<Box<F>>,
    usage: Arc<Usage>,
    trust: &'a Trust,
}

impl<F: Future> Timed<'_, F> {
    /// Adds the CPU time of the future to `usage`, and tells `trust` how long it keeps the thread.
    pub(crate) fn new(future: F, usage: Arc<Usage>, trust: &Trust) -> Timed<'_, F> {
        Timed { future: Box::pin(future), usage, trust }
    }
}

impl<F: Future> Future for Timed<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let began = thread_cpu_ns();
        self.usage.poll_began_ns.store(began, Ordering::Relaxed);
        let polled = self.future.as_mut().poll(context);
        self.usage.poll_began_ns.store(0, Ordering::Relaxed);
        let spent_ns = thread_cpu_ns().saturating_sub(began);
        self.usage.cpu_ns.fetch_add(spent_ns, Ordering::Relaxed);
        self.trust.kept_a_thread(Duration::from_nanos(spent_ns));
        polled
    }
}
