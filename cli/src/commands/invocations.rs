//! `wasmcloud invocations`

use wasmcloud_wire::{HandlerName, InvocationId, Receipt};

use super::{logs, receipt};
use crate::client::InvocationQuery;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::since::Since;
use crate::text::{duration_us, size, time};

/// Most invocations that are asked for at once.
const COUNT_MAX: i64 = 1_000;

/// The arguments of `invocations`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The handler
    name: HandlerName,
    /// One invocation, to be shown whole with its log
    #[arg(conflicts_with_all = ["since", "count", "before", "failed"])]
    id: Option<InvocationId>,
    /// Only from this time on: 30s, 10m, 2h or 7d ago, or 2026-11-21T08:09:10Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only those that began before this one: the next page of a long list
    #[arg(long, value_name = "ID")]
    before: Option<InvocationId>,
    /// Only those that failed: with a trap, a limit, another status than 0, or an answer from 500 on
    #[arg(long)]
    failed: bool,
    /// The newest so many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=COUNT_MAX))]
    count: u32,
}

/// Lists a handler's invocations, newest first, or shows one.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    if let Some(id) = args.id {
        return show(session, &args.name, id).await;
    }
    let Args { since, before, failed, count: limit, .. } = *args;
    let query = InvocationQuery { since, before, failed, limit };
    let invocations = session.client()?.invocations(&args.name, &query).await?;
    if session.output.json {
        return session.output.document(&invocations);
    }
    if invocations.receipts.is_empty() {
        session.output.note("no invocations");
        return Ok(());
    }
    session.output.table(&table(&invocations.receipts))
}

fn table(receipts: &[Receipt]) -> Table {
    let mut table = Table::new(&[
        "STARTED",
        "INVOCATION",
        "VERSION",
        "BY",
        "METHOD",
        "PATH",
        "STATUS",
        "OUTCOME",
        "TIME",
        "CPU",
        "GAS",
        "MEMORY",
        "OUTBOUND",
    ]);
    for receipt in receipts {
        table.row([
            time(receipt.started_at),
            receipt.invocation.to_string(),
            receipt.version.to_string(),
            format!("{:?}", receipt.trigger).to_lowercase(),
            receipt.method.clone(),
            receipt.path.clone(),
            receipt.status.map_or_else(none, |status| status.to_string()),
            receipt.outcome.kind().to_owned(),
            duration_us(receipt.wall_us),
            receipt::cpu(receipt).unwrap_or_else(none),
            receipt::gas(receipt).unwrap_or_else(none),
            size(receipt.memory_peak_bytes),
            outbound(receipt),
        ]);
    }
    table
}

fn none() -> String {
    "-".to_owned()
}

/// How many requests were made, and how many URLs the policy did not let through.
fn outbound(receipt: &Receipt) -> String {
    match (receipt.outbound.requests, receipt.outbound.denied.len()) {
        (0, 0) => none(),
        (requests, 0) => requests.to_string(),
        (requests, denied) => format!("{requests}, {denied} not allowed"),
    }
}

async fn show(session: &Session, name: &HandlerName, id: InvocationId) -> Result<(), Failure> {
    let invocation = session.client()?.invocation(name, id).await?;
    let output = &session.output;
    if output.json {
        return output.document(&invocation);
    }
    match &invocation.receipt {
        Some(receipt) => {
            for line in receipt::lines(output, receipt) {
                output.line(&line)?;
            }
        }
        None => output.note("it is still running"),
    }
    for line in &invocation.lines {
        output.line(&logs::format_line(output, line))?;
    }
    Ok(())
}
