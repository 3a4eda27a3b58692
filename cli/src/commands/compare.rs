//! `wasmcloud promote --dry-run`: a version beside the live one, over recorded requests.

use wasmcloud_wire::{
    COMPARED, COMPARED_MAX, CompareRequest, Comparison, HandlerName, Pair, RunSummary, VersionNumber,
};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Style, Table};
use crate::session::Session;
use crate::text::{one_line, plural};

/// Characters of a request that a table shows.
const REQUEST_CHARS: usize = 48;

/// The flags of `promote` that compare instead.
#[derive(Debug, clap::Args)]
pub struct DryRun {
    /// Make nothing live: replay recorded requests against the live version and this one, and show where their
    /// answers differ. Exits with 1 if they do
    #[arg(long, conflicts_with = "percent")]
    pub dry_run: bool,
    /// How many recorded requests are replayed, the newest
    #[arg(long, value_name = "N", default_value_t = COMPARED, requires = "dry_run",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(COMPARED_MAX)))]
    last: u32,
    /// Methods of the requests that are replayed [default: GET,HEAD]
    #[arg(long, value_name = "METHODS", value_delimiter = ',', requires = "dry_run")]
    methods: Vec<String>,
    /// Let the replays do requests of their own, as the handler's policy says; otherwise they are refused
    #[arg(long, requires = "dry_run")]
    outbound: bool,
}

/// Compares a version with the live one.
pub async fn run(
    session: &Session,
    name: &HandlerName,
    version: VersionNumber,
    flags: &DryRun,
) -> Result<(), Failure> {
    let request = CompareRequest {
        version,
        last: Some(flags.last),
        methods: flags.methods.clone(),
        outbound: flags.outbound,
    };
    let comparison = session.client()?.compare(name, &request).await?;
    match session.output.json {
        true => session.output.document(&comparison)?,
        false => show(&session.output, &comparison)?,
    }
    if comparison.same { Ok(()) } else { Err(Failure::Shown(Exit::Failure)) }
}

fn show(output: &Output, comparison: &Comparison) -> Result<(), Failure> {
    let (live, candidate) = (format!("V{}", comparison.live), format!("V{}", comparison.version));
    let mut table = Table::new(&["REQUEST", &live, &candidate, "GAS", "TIME", "DIFFERENT", "RECORDED"]);
    for pair in &comparison.pairs {
        let places: Vec<&str> = pair.differences.iter().map(|one| one.place.as_str()).collect();
        table.row([
            format!("{} {}", pair.method, pair.target).chars().take(REQUEST_CHARS).collect(),
            status(&pair.live),
            status(&pair.candidate),
            ratio(pair.live.gas, pair.candidate.gas),
            ratio(pair.live.wall_us, pair.candidate.wall_us),
            if places.is_empty() { "-".to_owned() } else { places.join(", ") },
            pair.recorded.to_string(),
        ]);
    }
    output.table(&table)?;
    for pair in comparison.pairs.iter().filter(|pair| !pair.differences.is_empty()) {
        detail(output, pair)?;
    }
    for problem in &comparison.problems {
        output.warn(problem);
    }
    output.line("")?;
    output.line(&summary(output, comparison))
}

fn detail(output: &Output, pair: &Pair) -> Result<(), Failure> {
    output.line("")?;
    let request = one_line(&format!("{} {}", pair.method, pair.target));
    output.line(&output.styled(Style::Bold, &request))?;
    for difference in &pair.differences {
        output.line(&format!(
            "  {}: {} -> {}",
            one_line(&difference.place),
            one_line(&difference.before),
            one_line(&difference.now)
        ))?;
    }
    pair.gaps.iter().try_for_each(|gap| output.line(&format!("  gap: {}", one_line(gap))))
}

fn summary(output: &Output, comparison: &Comparison) -> String {
    let all = comparison.pairs.len();
    let differing = comparison.pairs.iter().filter(|pair| !pair.differences.is_empty()).count();
    let text = format!(
        "{} compared of version {} and version {}, which is live: {}{}",
        plural(all, "request", "requests"),
        comparison.version,
        comparison.live,
        differ(differing),
        if comparison.not_compared > 0 {
            format!(", {} not compared", comparison.not_compared)
        } else {
            String::new()
        }
    );
    output.styled(if comparison.same { Style::Green } else { Style::Red }, &text)
}

fn differ(answers: usize) -> String {
    match answers {
        0 => "no answer differs".to_owned(),
        1 => "1 differs".to_owned(),
        more => format!("{more} differ"),
    }
}

fn status(run: &RunSummary) -> String {
    match (run.status, run.outcome.as_str()) {
        (Some(status), "ok") => status.to_string(),
        (Some(status), outcome) => format!("{status} {outcome}"),
        (None, outcome) => outcome.to_owned(),
    }
}

/// How many times as much; nothing where it was not counted.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn ratio(live: u64, candidate: u64) -> String {
    if live == 0 || candidate == 0 {
        return "-".to_owned();
    }
    format!("x{:.2}", candidate as f64 / live as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_differs_and_two_differ() {
        assert_eq!([0, 1, 2].map(differ), ["no answer differs", "1 differs", "2 differ"]);
    }

    #[test]
    fn a_ratio_has_two_digits_and_none_where_nothing_was_counted() {
        assert_eq!([ratio(100, 150), ratio(3, 1), ratio(0, 1), ratio(1, 0)], ["x1.50", "x0.33", "-", "-"]);
    }
}
