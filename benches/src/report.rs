//! The table at the end: medians, ratios, and the bars that they have to keep.

use std::collections::BTreeMap;
use std::path::Path;

use crate::subjects::{OURS, OURS_INVOCATION, WASMER_STOCK, WASMTIME_POOLING};

/// Medians in microseconds, by module, subject and threads.
#[derive(Default)]
pub struct Medians(BTreeMap<(String, String, usize), f64>);

/// The order in which subjects are shown.
const SUBJECTS: [&str; 4] = [WASMER_STOCK, OURS, OURS_INVOCATION, WASMTIME_POOLING];
/// Hello on one thread, in microseconds.
const HELLO_US_MAX: f64 = 5.0;
/// The module with much data, next to hello.
const DATA_TIMES_MAX: f64 = 3.0;

impl Medians {
    /// Takes what was measured under this name out of the folder where criterion left it. What was not
    /// measured, because a filter left it out, is left out.
    ///
    /// # Errors
    ///
    /// The file is not what criterion writes.
    pub fn take(&mut self, dir: &Path, module: &str, subject: &str, threads: usize) -> anyhow::Result<()> {
        let file = dir.join(module).join(subject).join(threads.to_string()).join("new/estimates.json");
        let Ok(text) = std::fs::read_to_string(&file) else { return Ok(()) };
        let estimates: serde_json::Value = serde_json::from_str(&text)?;
        let median = estimates.pointer("/median/point_estimate").and_then(serde_json::Value::as_f64);
        let ns = median.ok_or_else(|| anyhow::anyhow!("{} has no median", file.display()))?;
        self.0.insert((module.to_owned(), subject.to_owned(), threads), ns / 1_000.0);
        Ok(())
    }

    fn get(&self, module: &str, subject: &str, threads: usize) -> Option<f64> {
        self.0.get(&(module.to_owned(), subject.to_owned(), threads)).copied()
    }

    /// A table in Markdown: a row for a module and subject.
    pub fn table(&self, modules: &[&str]) -> String {
        let mut rows = vec![
            "| module | run by | one thread, µs | two at once, µs each | two ÷ one | ÷ wasmtime, one | ÷ wasmtime, two |"
                .to_owned(),
            "|---|---|---|---|---|---|---|".to_owned(),
        ];
        for module in modules {
            for subject in SUBJECTS {
                let [one, two] = [1, 2].map(|threads| self.get(module, subject, threads));
                let [peer, peers] = [1, 2].map(|threads| self.get(module, WASMTIME_POOLING, threads));
                let cells = [one, two, ratio(two, one), ratio(one, peer), ratio(two, peers)].map(number);
                rows.push(format!("| {module} | {subject} | {} |", cells.join(" | ")));
            }
        }
        rows.join("\n")
    }

    /// The bars, each with what was measured.
    pub fn bars(&self) -> String {
        let ours = |module, threads| self.get(module, OURS, threads);
        let scaling = |subject| ratio(self.get("hello", subject, 2), self.get("hello", subject, 1));
        let bars = [
            ("hello on one thread, µs", ours("hello", 1), Some(HELLO_US_MAX)),
            ("hello, two threads ÷ one", scaling(OURS), scaling(WASMTIME_POOLING)),
            ("data ÷ hello, one thread", ratio(ours("data", 1), ours("hello", 1)), Some(DATA_TIMES_MAX)),
        ];
        let lines = bars.map(|(what, measured, max)| {
            let verdict = match (measured, max) {
                (Some(measured), Some(max)) if measured <= max => "kept",
                (Some(_), Some(_)) => "MISSED",
                _ => "not measured",
            };
            format!("| {what} | {} | {} | {verdict} |", number(measured), number(max))
        });
        format!("| bar | measured | at most | |\n|---|---|---|---|\n{}", lines.join("\n"))
    }
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

fn number(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.2}"))
}
