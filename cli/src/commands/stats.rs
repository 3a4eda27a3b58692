//! `wasmcloud stats`

use wasmcloud_wire::body::{Chart, ChartPoint, Span};
use wasmcloud_wire::{HandlerName, Timestamp};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{count, duration_us, size, time};

/// The arguments of `stats`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// How much of the past: hour (by minutes), day (by quarters of an hour) or week (by two hours)
    #[arg(long, value_name = "SPAN", default_value = "hour")]
    span: Span,
}

/// Shows how a handler did, oldest first; what it did nothing in is left out.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let chart = session.client()?.chart(&args.name, args.span).await?;
    if session.output.json {
        return session.output.document(&chart);
    }
    if chart.points.iter().all(|point| point.invocations == 0) {
        let span = args.span.as_str();
        session
            .output
            .note(&format!("no invocations within this {span} (they take up to a second to arrive)"));
        return Ok(());
    }
    session.output.table(&table(&chart))
}

fn table(chart: &Chart) -> Table {
    let mut table =
        Table::new(&["FROM", "INVOCATIONS", "FAILED", "P50", "P99", "CPU", "GAS", "LARGEST MEMORY"]);
    let mut from = chart.from;
    for point in &chart.points {
        if point.invocations > 0 {
            table.row(row(from, point));
        }
        from = Timestamp(from.0.saturating_add(i64::from(chart.step_s) * 1_000));
    }
    table
}

fn row(from: Timestamp, point: &ChartPoint) -> [String; 8] {
    let used = |amount: u64, text: String| if amount == 0 { "-".to_owned() } else { text };
    [
        time(from),
        count(point.invocations),
        used(point.failures, count(point.failures)),
        duration_us(point.p50_us),
        duration_us(point.p99_us),
        used(point.cpu_us, duration_us(point.cpu_us)),
        used(point.gas, count(point.gas)),
        size(point.memory_peak_bytes),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_happened_in_its_time() {
        let point = ChartPoint {
            invocations: 1_200,
            failures: 3,
            p50_us: 812,
            p99_us: 5_376,
            gas: 0,
            cpu_us: 1_500_000,
            memory_peak_bytes: 65_536,
        };
        assert_eq!(
            row(Timestamp(951_782_400_000), &point),
            ["2000-02-29T00:00:00Z", "1 200", "3", "812 µs", "5.376 ms", "1.500 s", "-", "64.0 KiB"]
        );
    }
}
