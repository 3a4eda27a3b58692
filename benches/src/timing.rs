//! Timing on several threads at once.

use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Runs `work` `rounds` times on each of as many threads, which begin together; the time of the slowest.
pub fn at_once(threads: usize, rounds: u64, work: &(dyn Fn() + Sync)) -> Duration {
    let begin = Barrier::new(threads);
    let timed = || {
        // What is made for a thread at its first run is not measured.
        work();
        begin.wait();
        let began = Instant::now();
        for _ in 0..rounds {
            work();
        }
        began.elapsed()
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        let times = running.into_iter().filter_map(|thread| thread.join().ok());
        times.max().unwrap_or_default()
    })
}
