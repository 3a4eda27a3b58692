//! `wasmcloud quota`

use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{PlanRequest, PlanRequestState, Quota};

use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{count, duration_us, one_line, size, time};

/// The arguments of `quota`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A team that you belong to, in place of your own account
    #[arg(long, value_name = "TEAM")]
    team: Option<UserName>,
}

/// Shows what an account uses, and how much it may.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let quotas = session.client()?.quotas(args.team.as_ref()).await?;
    if session.output.json {
        return session.output.document(&quotas);
    }
    session.output.note(&format!("{} has the plan `{}`", quotas.account, quotas.plan));
    let mut table = Table::new(&["QUOTA", "USED", "OF", "RESETS"]);
    for quota in &quotas.quotas {
        table.row([
            quota.name.clone(),
            amount(&quota.name, quota.used),
            most(&quota.name, quota.max),
            quota.resets_at.map(time).unwrap_or_default(),
        ]);
    }
    session.output.table(&table)?;
    if let Some(request) = &quotas.request {
        session.output.note(&said(request));
    }
    if quotas.quotas.iter().any(is_used_up) {
        let team = args.team.as_ref().map_or(String::new(), |team| format!(" --team {team}"));
        session.output.note(&format!(
            "a quota is used up; ask for a larger plan: wasmcloud plan apply PLAN --reason TEXT{team}"
        ));
    }
    Ok(())
}

fn is_used_up(quota: &Quota) -> bool {
    quota.max.is_some_and(|max| quota.used >= max)
}

/// How much of a quota, as people read it.
pub fn amount(quota: &str, number: u64) -> String {
    match quota {
        "storage_bytes" => size(number),
        "cpu_ms_per_day" => duration_us(number.saturating_mul(1_000)),
        _ => count(number),
    }
}

/// How much there may be.
pub fn most(quota: &str, max: Option<u64>) -> String {
    max.map_or_else(|| "no limit".to_owned(), |max| amount(quota, max))
}

/// How a request for a plan stands, in a sentence.
pub fn said(request: &PlanRequest) -> String {
    let PlanRequest { plan, created_at, decided_at, note, .. } = request;
    let asked = time(*created_at);
    let mut said = match request.state {
        PlanRequestState::Open => {
            format!("the plan `{plan}` was asked for at {asked}; nobody has decided yet")
        }
        PlanRequestState::Approved => format!("the plan `{plan}`, asked for at {asked}, was approved"),
        PlanRequestState::Refused => format!("the plan `{plan}`, asked for at {asked}, was refused"),
        PlanRequestState::Withdrawn => format!("the plan `{plan}`, asked for at {asked}, was withdrawn"),
    };
    if let Some(at) = decided_at {
        said.push_str(&format!(" at {}", time(*at)));
    }
    if let Some(note) = note {
        said.push_str(&format!(": {}", one_line(note)));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_shown_in_units_that_people_read() {
        assert_eq!(amount("storage_bytes", 500 << 20), "500.0 MiB");
        assert_eq!(amount("cpu_ms_per_day", 3_600_000), "3600.000 s");
        assert_eq!(amount("invocations_per_minute", 6_000), "6 000");
        assert_eq!(most("handlers", None), "no limit");
    }
}
