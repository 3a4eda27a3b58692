//! Pictures of numbers over time, as SVG that needs neither scripts nor styles of its own.
//!
//! A [`Plot`] is what a template draws: places are in the units of its view box, and every text in it is told as well
//! in a description and in a table beside it. A point without invocations has no duration, so lines have gaps there.

use std::fmt::Write as _;

use wasmcloud_wire::body::{Chart, Span, Sparkline};
use wasmcloud_wire::{Abi, Timestamp};

use crate::format;

/// The view box of a plot, and of the part of it where the values are.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 168.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 22.0;

/// The view box of a sparkline.
const SPARK_WIDTH: f64 = 120.0;
const SPARK_HEIGHT: f64 = 24.0;
/// Bars of a sparkline: as many as can be told apart.
const SPARK_BARS: usize = 48;

/// A picture of one thing over time.
#[derive(Clone, Debug)]
pub(crate) struct Plot {
    /// What tells its parts from those of other pictures of the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// The same in sentences, with the numbers that matter.
    pub desc: String,
    /// What its vertical axis counts.
    pub unit: String,
    /// Marks of the vertical axis.
    pub ticks_y: Vec<Tick>,
    /// Marks of the horizontal axis.
    pub ticks_x: Vec<Tick>,
    /// Its bars and lines, in the order in which they are drawn.
    pub series: Vec<Series>,
}

/// A mark of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tick {
    /// Where it is, along its axis.
    pub at: f64,
    pub text: String,
    /// How the text lies to it: `start`, `middle` or `end`.
    pub anchor: &'static str,
}

/// One row of values.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The class of its path: `bar`, `bad`, `line` or `line dashed`.
    pub class: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// The path.
    pub path: String,
    /// Where the points are that no line leads to: it has no length there.
    pub dots: Vec<(f64, f64)>,
}

/// In which unit values are told.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Large,
    Bytes,
    Micros,
}

impl Unit {
    fn text(self, value: u64) -> String {
        match self {
            Unit::Count => format::number(&value),
            Unit::Large => format::si(&value),
            Unit::Bytes => format::size(&value),
            Unit::Micros => format::us(&value),
        }
    }

    /// A round number that is no smaller, so that its half is round too.
    fn ceiling(self, value: u64) -> u64 {
        let mut unit = 1_u64;
        if matches!(self, Unit::Bytes) {
            while value / unit >= 1024 {
                unit = unit.saturating_mul(1024);
            }
        }
        let wanted = value.div_ceil(unit);
        let mut round = 1_u64;
        while round < u64::MAX / 100 {
            for factor in [2, 4, 10] {
                if round * factor >= wanted {
                    return round.saturating_mul(factor).saturating_mul(unit);
                }
            }
            round *= 10;
        }
        u64::MAX
    }
}

/// The pictures of a handler's chart: how often it ran and failed, how long that took, what it computed, its memory.
/// What the Olin family computes is counted as gas, what WASI programs compute is timed.
pub(crate) fn plots(chart: &Chart, abi: Abi) -> Vec<Plot> {
    let of = |value: fn(&wasmcloud_wire::body::ChartPoint) -> u64| -> Vec<u64> {
        chart.points.iter().map(value).collect()
    };
    let ran = of(|point| point.invocations);
    let some = |values: Vec<u64>| -> Vec<Option<u64>> {
        values.into_iter().zip(&ran).map(|(value, ran)| (*ran > 0).then_some(value)).collect()
    };
    let all = |values: Vec<u64>| -> Vec<Option<u64>> { values.into_iter().map(Some).collect() };
    let step = step_text(chart.step_s);
    let failed = of(|point| point.failures);
    let sums = Sums::of(chart);
    let (p50, p99) = (some(of(|point| point.p50_us)), some(of(|point| point.p99_us)));
    let slowest = p99.iter().flatten().max().copied().unwrap_or_default();
    let largest = chart.points.iter().map(|point| point.memory_peak_bytes).max().unwrap_or_default();
    let (computed, compute_unit, compute_total) = match abi.is_wasi() {
        true => ("CPU time", Unit::Micros, sums.cpu_us),
        false => ("Gas", Unit::Large, sums.gas),
    };
    let compute = if abi.is_wasi() { of(|point| point.cpu_us) } else { of(|point| point.gas) };
    vec![
        Plot::new(
            chart,
            ("runs", "Invocations and failures", format!("per {step}")),
            format!(
                "{} in the last {}, {} of them failed.",
                plural(sums.invocations, "invocation"),
                chart.span.as_str(),
                format::number(&sums.failures)
            ),
            Unit::Count,
            &[("bar", "invocations", all(ran.clone())), ("bad", "failures", all(failed))],
        ),
        Plot::new(
            chart,
            ("durations", "Duration", "half, and 99 of 100, took no longer".to_owned()),
            match sums.invocations {
                0 => "Nothing ran.".to_owned(),
                _ => format!("The slowest hundredth took {} where it took longest.", format::us(&slowest)),
            },
            Unit::Micros,
            &[("line", "p50", p50), ("line dashed", "p99", p99)],
        ),
        Plot::new(
            chart,
            ("compute", computed, format!("per {step}, of all invocations together")),
            format!("{} in all.", compute_unit.text(compute_total)),
            compute_unit,
            &[("bar", computed, all(compute))],
        ),
        Plot::new(
            chart,
            ("memory", "Memory", "the largest of one invocation".to_owned()),
            format!("{} at most.", format::size(&largest)),
            Unit::Bytes,
            &[("line", "peak", some(of(|point| point.memory_peak_bytes)))],
        ),
    ]
}

/// What a chart's points come to together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub invocations: u64,
    pub failures: u64,
    pub gas: u64,
    pub cpu_us: u64,
}

impl Sums {
    pub(crate) fn of(chart: &Chart) -> Sums {
        chart.points.iter().fold(Sums::default(), |sums, point| Sums {
            invocations: sums.invocations.saturating_add(point.invocations),
            failures: sums.failures.saturating_add(point.failures),
            gas: sums.gas.saturating_add(point.gas),
            cpu_us: sums.cpu_us.saturating_add(point.cpu_us),
        })
    }
}

impl Plot {
    fn new(
        chart: &Chart,
        (id, title, unit): (&'static str, &str, String),
        desc: String,
        in_unit: Unit,
        series: &[(&'static str, &'static str, Vec<Option<u64>>)],
    ) -> Plot {
        let largest = series.iter().flat_map(|(_, _, values)| values.iter().flatten()).max().copied();
        let top = in_unit.ceiling(largest.unwrap_or_default());
        let area = Area {
            left: LEFT,
            top: TOP,
            width: WIDTH - LEFT - RIGHT,
            height: HEIGHT - TOP - BOTTOM,
            value: top,
        };
        let tick_y = |value: u64| Tick { at: area.y(value), text: in_unit.text(value), anchor: "end" };
        let drawn = series.iter().map(|(class, name, values)| {
            let (path, dots) = match class.starts_with("line") {
                true => area.line(values),
                false => (area.bars(values), Vec::new()),
            };
            Series { class, name, path, dots }
        });
        Plot {
            id,
            title: title.to_owned(),
            desc,
            unit,
            ticks_y: vec![tick_y(0), tick_y(top / 2), tick_y(top)],
            ticks_x: ticks_x(chart, &area),
            series: drawn.collect(),
        }
    }

    /// The width of its view box.
    pub(crate) fn width(&self) -> f64 {
        WIDTH
    }

    /// The height of its view box.
    pub(crate) fn height(&self) -> f64 {
        HEIGHT
    }

    /// Where the values begin, from the left.
    pub(crate) fn left(&self) -> f64 {
        LEFT
    }

    /// Where the values end, from the left.
    pub(crate) fn right(&self) -> f64 {
        WIDTH - RIGHT
    }

    /// Where the values are 0.
    pub(crate) fn bottom(&self) -> f64 {
        HEIGHT - BOTTOM
    }
}

/// The part of a picture where values are drawn.
struct Area {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    /// The value at its top, more than 0.
    value: u64,
}

impl Area {
    fn y(&self, value: u64) -> f64 {
        let part = value as f64 / self.value.max(1) as f64;
        round(self.top + self.height * (1.0 - part.min(1.0)))
    }

    fn bars(&self, values: &[Option<u64>]) -> String {
        let (mut path, bottom) = (String::new(), self.top + self.height);
        let step = self.width / values.len().max(1) as f64;
        for (index, value) in values.iter().enumerate() {
            let value = value.unwrap_or_default();
            if value > 0 {
                let x = round(self.left + step * index as f64);
                // Seen, however little it is.
                let y = self.y(value).min(bottom - 1.0);
                let _ = write!(path, "M{x} {bottom}V{y}h{}V{bottom}z", round((step * 0.84).max(0.6)));
            }
        }
        path
    }

    /// The path through the points that have a neighbour, and those that have none.
    fn line(&self, values: &[Option<u64>]) -> (String, Vec<(f64, f64)>) {
        let (mut path, mut dots) = (String::new(), Vec::new());
        let step = self.width / values.len().max(1) as f64;
        let is_there =
            |index: Option<usize>| index.and_then(|at| values.get(at)).is_some_and(Option::is_some);
        for (index, value) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let (x, y) = (round(self.left + step * (index as f64 + 0.5)), self.y(*value));
            let _ = match (is_there(index.checked_sub(1)), is_there(Some(index + 1))) {
                (true, _) => write!(path, "L{x} {y}"),
                (false, true) => write!(path, "M{x} {y}"),
                (false, false) => {
                    dots.push((x, y));
                    Ok(())
                }
            };
        }
        (path, dots)
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn ticks_x(chart: &Chart, area: &Area) -> Vec<Tick> {
    let whole_ms = i64::from(chart.step_s).saturating_mul(1000).saturating_mul(chart.points.len() as i64);
    [(0.0, "start"), (0.5, "middle"), (1.0, "end")]
        .into_iter()
        .map(|(part, anchor)| {
            let at = Timestamp(chart.from.0.saturating_add((whole_ms as f64 * part) as i64));
            Tick { at: round(area.left + area.width * part), text: moment(chart.span, at), anchor }
        })
        .collect()
}

/// A point in time, as exactly as the span needs it.
pub(crate) fn moment(span: Span, at: Timestamp) -> String {
    let text = at.rfc3339();
    let (date, time) = (text.get(5..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    match span {
        Span::Hour | Span::Day => time.to_owned(),
        Span::Week => format!("{date} {time}"),
    }
}

fn step_text(step_s: u32) -> String {
    match step_s {
        60 => "minute".to_owned(),
        seconds if seconds % 3600 == 0 => format!("{} hours", seconds / 3600),
        seconds => format!("{} minutes", seconds / 60),
    }
}

/// A count with its noun.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", format::number(&count), if count == 1 { "" } else { "s" })
}

/// How often a handler ran lately, and how often it failed: as small as can be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spark {
    pub width: f64,
    pub height: f64,
    /// All that is to be said of it.
    pub title: String,
    /// The path of all invocations.
    pub ran: String,
    /// The path of those that failed.
    pub failed: String,
    pub invocations: u64,
    pub failures: u64,
}

/// The sparkline of a day.
pub(crate) fn spark(line: Option<&Sparkline>) -> Spark {
    let (ran, failed) = match line {
        Some(line) => (condense(&line.invocations), condense(&line.failures)),
        None => (Vec::new(), Vec::new()),
    };
    let sum = |values: &[u64]| values.iter().fold(0_u64, |sum, value| sum.saturating_add(*value));
    let (invocations, failures) = (sum(&ran), sum(&failed));
    let value = ran.iter().max().copied().unwrap_or_default();
    let area = Area { left: 0.0, top: 0.0, width: SPARK_WIDTH, height: SPARK_HEIGHT, value };
    let bars = |values: Vec<u64>| area.bars(&values.into_iter().map(Some).collect::<Vec<_>>());
    Spark {
        width: SPARK_WIDTH,
        height: SPARK_HEIGHT,
        title: format!(
            "{} in the last 24 hours, {}",
            plural(invocations, "invocation"),
            plural(failures, "failure")
        ),
        ran: bars(ran),
        failed: bars(failed),
        invocations,
        failures,
    }
}

/// So few values that each can be seen, with the same sum.
fn condense(values: &[u64]) -> Vec<u64> {
    let together = values.len().div_ceil(SPARK_BARS).max(1);
    values
        .chunks(together)
        .map(|some| some.iter().fold(0, |sum: u64, value| sum.saturating_add(*value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use wasmcloud_wire::body::ChartPoint;

    use super::*;

    fn chart(span: Span, ran: &[u64]) -> Chart {
        let points = ran.iter().map(|ran| ChartPoint {
            invocations: *ran,
            failures: ran / 2,
            p50_us: ran * 100,
            p99_us: ran * 1_000,
            gas: ran * 1_000_000,
            memory_peak_bytes: ran * 65_536,
            ..ChartPoint::default()
        });
        let from = Timestamp(1_795_219_740_000);
        Chart { span, from, step_s: span.steps().0 * 60, points: points.collect() }
    }

    #[test]
    fn marks_are_round_and_so_are_their_halves() {
        for (unit, value, ceiling) in [
            (Unit::Count, 0, 2),
            (Unit::Count, 1, 2),
            (Unit::Count, 3, 4),
            (Unit::Count, 5, 10),
            (Unit::Count, 401, 1_000),
            (Unit::Bytes, 3 << 20, 4 << 20),
            (Unit::Bytes, 1023, 2_000),
            (Unit::Micros, 1_500, 2_000),
        ] {
            assert_eq!(unit.ceiling(value), ceiling, "{value}");
        }
        assert!(Unit::Count.ceiling(u64::MAX) >= u64::MAX / 100);
        assert!(Unit::Bytes.ceiling(u64::MAX) >= u64::MAX / 100);
    }

    #[test]
    fn sums_are_those_of_all_points() {
        let chart = chart(Span::Hour, &[0, 3, 5]);
        let sums = Sums::of(&chart);
        assert_eq!(sums, Sums { invocations: 8, failures: 3, gas: 8_000_000, cpu_us: 0 });
        let plots = plots(&chart, Abi::Olin);
        let desc: Vec<&str> = plots.iter().map(|plot| plot.desc.as_str()).collect();
        assert_eq!(
            desc,
            [
                "8 invocations in the last hour, 3 of them failed.",
                "The slowest hundredth took 5 ms where it took longest.",
                "8 M in all.",
                "320 KiB at most.",
            ]
        );
        assert_eq!(plots[2].title, "Gas");
        assert_eq!(
            super::plots(&chart, Abi::WasiHttp)[2].title,
            "CPU time",
            "the ABI says so, not the numbers"
        );
        assert!(plots.iter().all(|plot| plot.ticks_x.len() == 3 && plot.ticks_y.len() == 3));
    }

    #[test]
    fn what_never_ran_has_no_duration() {
        let plots = plots(&chart(Span::Week, &[0, 4, 0, 2, 2, 0]), Abi::H);
        assert_eq!(plots[1].series[0].path.matches(['M', 'L']).count(), 2, "one piece");
        assert_eq!(plots[1].series[0].dots.len(), 1, "and a point without a neighbour");
        assert_eq!(plots[0].series[0].path.matches('M').count(), 3, "three bars");
        let empty = super::plots(&chart(Span::Week, &[0; 84]), Abi::H);
        assert!(
            empty.iter().all(|plot| plot
                .series
                .iter()
                .all(|series| series.path.is_empty() && series.dots.is_empty()))
        );
        assert_eq!(empty[1].desc, "Nothing ran.");
    }

    #[test]
    fn times_are_told_as_exactly_as_the_span_needs() {
        let hour = plots(&chart(Span::Hour, &[1; 60]), Abi::H);
        let texts: Vec<&str> = hour[0].ticks_x.iter().map(|tick| tick.text.as_str()).collect();
        assert_eq!(texts, ["00:09", "00:39", "01:09"]);
        let week = plots(&chart(Span::Week, &[1; 84]), Abi::H);
        assert_eq!(week[0].ticks_x[2].text, "11-28 00:09");
        assert_eq!(week[0].unit, "per 2 hours");
    }

    #[test]
    fn a_sparkline_keeps_the_sums() {
        let line = Sparkline {
            handler: "hello".parse().unwrap(),
            invocations: vec![1; 96],
            failures: [vec![0; 95], vec![1]].concat(),
        };
        let spark = spark(Some(&line));
        assert_eq!((spark.invocations, spark.failures), (96, 1));
        assert_eq!(spark.title, "96 invocations in the last 24 hours, 1 failure");
        assert_eq!(spark.ran.matches('M').count(), SPARK_BARS);
        assert_eq!(spark.failed.matches('M').count(), 1);
        assert_eq!(super::spark(None).title, "0 invocations in the last 24 hours, 0 failures");
    }
}
