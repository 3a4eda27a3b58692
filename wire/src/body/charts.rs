//! Bodies about how handlers did over time.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{HandlerName, Timestamp};

/// How much of the past a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Span {
    /// The last hour, by minutes.
    Hour,
    /// The last day, by quarters of an hour.
    Day,
    /// The last week, by two hours.
    Week,
}

impl Span {
    /// Its name in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Span::Hour => "hour",
            Span::Day => "day",
            Span::Week => "week",
        }
    }

    /// Minutes from one point to the next, and how many points there are.
    pub fn steps(self) -> (u32, u32) {
        match self {
            Span::Hour => (1, 60),
            Span::Day => (15, 96),
            Span::Week => (120, 84),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Span, String> {
        let known = [Span::Hour, Span::Day, Span::Week].into_iter().find(|span| span.as_str() == text);
        known.ok_or_else(|| format!("`{text}` is no span: use hour, day or week"))
    }
}

/// `GET /api/v1/handlers/NAME/chart?span=hour`: how a handler did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chart {
    /// How much of the past it shows.
    pub span: Span,
    /// When the first point begins.
    pub from: Timestamp,
    /// From one point to the next, in seconds.
    pub step_s: u32,
    /// The points; each is there, also where nothing happened.
    pub points: Vec<ChartPoint>,
}

/// What happened from one point to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChartPoint {
    /// Invocations that began then.
    pub invocations: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Half of them took no longer, in microseconds, to a twelfth; 0 if there were none.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// Gas, of all together.
    pub gas: u64,
    /// CPU time, of all together, in microseconds.
    pub cpu_us: u64,
    /// The largest memory of one, in bytes.
    pub memory_peak_bytes: u64,
}

/// One of `GET /api/v1/charts?span=day`: a handler's invocations and failures, as small as can be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sparkline {
    /// The handler.
    pub handler: HandlerName,
    /// Invocations from each point to the next.
    pub invocations: Vec<u64>,
    /// Failures among them.
    pub failures: Vec<u64>,
}
