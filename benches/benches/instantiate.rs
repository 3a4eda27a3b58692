//! Making an instance and running it to its end: hello, a module that grows its memory, one with 20 MiB of
//! data; each by every subject, on one thread and on two at once.

use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};
use wasmcloud_benches::report::Medians;
use wasmcloud_benches::timing::at_once;
use wasmcloud_benches::{modules, subjects};

/// Where criterion keeps what it measured.
const DIR: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/criterion");
const THREADS: [usize; 2] = [1, 2];

fn main() -> anyhow::Result<()> {
    let dir = Path::new(DIR);
    let mut criterion = Criterion::default()
        .output_directory(dir)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    let modules = modules::all()?;
    let mut medians = Medians::default();
    for module in &modules {
        let subjects = subjects::all(module)?;
        let mut group = criterion.benchmark_group(module.name);
        // Side by side in time, what is compared side by side.
        for threads in THREADS {
            for subject in &subjects {
                group.bench_function(BenchmarkId::new(subject.name, threads), |bencher| {
                    bencher.iter_custom(|rounds| at_once(threads, rounds, &subject.run_once));
                });
            }
        }
        group.finish();
        for (subject, threads) in subjects.iter().flat_map(|subject| THREADS.map(|n| (subject, n))) {
            medians.take(dir, module.name, subject.name, threads)?;
        }
    }
    criterion.final_summary();
    let names: Vec<&str> = modules.iter().map(|module| module.name).collect();
    println!("{}\n\n{}", medians.table(&names), medians.bars());
    Ok(())
}
