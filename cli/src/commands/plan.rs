//! `wasmcloud plan`: what accounts may use, and asking for more.

use std::str::FromStr;

use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{NewPlanRequest, Plan, PlanDecision, PlanRequest, PlanRequestState};

use super::amount::{self, Most};
use super::quota::most;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::{one_line, time};

/// What can be done with plans.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the plans that there are
    List,
    /// Ask for another plan; an earlier request that is open is withdrawn
    Apply {
        /// The plan
        plan: PlanName,
        /// What for, in a sentence or two
        #[arg(long)]
        reason: String,
        /// A team that you are an owner of, in place of your own account
        #[arg(long, value_name = "TEAM")]
        team: Option<UserName>,
    },
    /// List your requests for plans, those that are open first
    Requests {
        /// Everybody's (operators only)
        #[arg(long)]
        all: bool,
    },
    /// Make a plan, or change what is named of one (operators only)
    Set(SetArgs),
    /// Delete a plan that nobody has (operators only)
    Delete {
        /// The plan
        plan: PlanName,
    },
    /// Give a user or a team a plan (operators only)
    Give {
        /// The user or the team
        account: UserName,
        /// The plan
        plan: PlanName,
    },
    /// Approve a request: the account has the plan at once (operators only)
    Approve(DecisionArgs),
    /// Refuse a request (operators only)
    Refuse(DecisionArgs),
}

/// The arguments of `plan set`.
#[derive(Debug, clap::Args)]
pub struct SetArgs {
    /// The plan
    plan: PlanName,
    /// Most handlers; `none` for no limit
    #[arg(long, value_name = "NUMBER", value_parser = amount::count)]
    handlers: Option<Most>,
    /// Most bytes of modules, with a unit if you like: 500 MiB; `none` for no limit
    #[arg(long, value_name = "SIZE", value_parser = amount::bytes)]
    storage_bytes: Option<Most>,
    /// Most invocations in a minute; `none` for no limit
    #[arg(long, value_name = "NUMBER", value_parser = amount::count)]
    invocations_per_minute: Option<Most>,
    /// Most invocations at once; `none` for no limit
    #[arg(long, value_name = "NUMBER", value_parser = amount::count)]
    concurrent: Option<Most>,
    /// Most CPU time in a day, in milliseconds, or with another unit: 90 min; `none` for no limit
    #[arg(long, value_name = "TIME", value_parser = amount::milliseconds)]
    cpu_ms_per_day: Option<Most>,
    /// Let newcomers have it, and everybody who was given none
    #[arg(long)]
    default: bool,
}

/// The arguments of `plan approve` and `plan refuse`.
#[derive(Debug, clap::Args)]
pub struct DecisionArgs {
    /// The request's id, which `plan requests --all` shows
    id: Uuid,
    /// What the one who asked is told
    #[arg(long)]
    note: Option<String>,
}

/// A plan's name.
#[derive(Clone, Debug)]
pub struct PlanName(String);

impl FromStr for PlanName {
    type Err = String;

    fn from_str(text: &str) -> Result<PlanName, String> {
        let is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if (1..=40).contains(&text.len()) && text.bytes().all(is_good) {
            return Ok(PlanName(text.to_owned()));
        }
        Err("a plan's name has 1 to 40 lower-case letters a-z, digits and `-`".to_owned())
    }
}

/// Does it.
pub async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Apply { plan, reason, team } => {
            let team = team.map(|team| team.to_string());
            apply(session, &NewPlanRequest { plan: plan.0, reason, team }).await
        }
        Command::Requests { all } => requests(session, all).await,
        Command::Set(args) => set(session, args).await,
        Command::Delete { plan } => delete(session, &plan.0).await,
        Command::Give { account, plan } => give(session, &account, plan.0).await,
        Command::Approve(args) => decide(session, args, true).await,
        Command::Refuse(args) => decide(session, args, false).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let plans = session.client()?.plans().await?;
    if session.output.json {
        return session.output.document(&plans);
    }
    session.output.table(&table(&plans))
}

fn table(plans: &[Plan]) -> Table {
    let mut table = Table::new(&[
        "PLAN",
        "HANDLERS",
        "STORAGE",
        "INVOCATIONS A MINUTE",
        "AT ONCE",
        "CPU A DAY",
        "FOR NEWCOMERS",
    ]);
    for plan in plans {
        table.row([
            plan.name.clone(),
            most("handlers", plan.handlers_max),
            most("storage_bytes", plan.storage_bytes_max),
            most("invocations_per_minute", plan.invocations_per_minute_max),
            most("concurrent", plan.concurrent_max),
            most("cpu_ms_per_day", plan.cpu_ms_per_day_max),
            if plan.is_default { "yes" } else { "" }.to_owned(),
        ]);
    }
    table
}

async fn apply(session: &Session, request: &NewPlanRequest) -> Result<(), Failure> {
    let team = request.team.as_ref().map_or_else(String::new, |team| format!(" --team {team}"));
    let request = session.client()?.ask_plan(request).await?;
    if session.output.json {
        return session.output.document(&request);
    }
    session.output.note(&format!(
        "asked for the plan `{}` for {}; `wasmcloud quota{team}` says how it stands",
        request.plan, request.account
    ));
    Ok(())
}

async fn requests(session: &Session, all: bool) -> Result<(), Failure> {
    let requests = session.client()?.plan_requests(all).await?;
    if session.output.json {
        return session.output.document(&requests);
    }
    if requests.is_empty() {
        session.output.note("there are no requests for plans");
        return Ok(());
    }
    let mut table =
        Table::new(&["ID", "STATE", "ACCOUNT", "ASKED BY", "HAS", "WANTS", "ASKED", "REASON", "NOTE"]);
    for request in requests {
        table.row([
            request.id.to_string(),
            state(request.state).to_owned(),
            request.account.to_string(),
            request.asked_by.to_string(),
            request.plan_now,
            request.plan,
            time(request.created_at),
            one_line(&request.reason),
            request.note.as_deref().map(one_line).unwrap_or_default(),
        ]);
    }
    session.output.table(&table)
}

fn state(state: PlanRequestState) -> &'static str {
    match state {
        PlanRequestState::Open => "open",
        PlanRequestState::Approved => "approved",
        PlanRequestState::Refused => "refused",
        PlanRequestState::Withdrawn => "withdrawn",
    }
}

/// What is not named stays as it is; of a new plan, there is no limit to it.
async fn set(session: &Session, args: SetArgs) -> Result<(), Failure> {
    let client = session.client()?;
    let known = client.plans().await?.into_iter().find(|plan| plan.name == args.plan.0);
    let before = known.unwrap_or(Plan {
        name: args.plan.0,
        handlers_max: None,
        storage_bytes_max: None,
        invocations_per_minute_max: None,
        concurrent_max: None,
        cpu_ms_per_day_max: None,
        is_default: false,
    });
    let or = |new: Option<Most>, before| new.map_or(before, |most| most.0);
    let plan = Plan {
        handlers_max: or(args.handlers, before.handlers_max),
        storage_bytes_max: or(args.storage_bytes, before.storage_bytes_max),
        invocations_per_minute_max: or(args.invocations_per_minute, before.invocations_per_minute_max),
        concurrent_max: or(args.concurrent, before.concurrent_max),
        cpu_ms_per_day_max: or(args.cpu_ms_per_day, before.cpu_ms_per_day_max),
        is_default: args.default || before.is_default,
        name: before.name,
    };
    let plan = client.set_plan(&plan).await?;
    if session.output.json {
        return session.output.document(&plan);
    }
    session.output.table(&table(&[plan]))
}

async fn delete(session: &Session, name: &str) -> Result<(), Failure> {
    session.client()?.delete_plan(name).await?;
    session.output.tell(&format!("deleted the plan `{name}`"));
    if session.output.json {
        session.output.document(&json!({ "deleted": name }))?;
    }
    Ok(())
}

async fn give(session: &Session, account: &UserName, plan: String) -> Result<(), Failure> {
    let user = session.client()?.give_plan(account, plan.clone()).await?;
    if session.output.json {
        return session.output.document(&user);
    }
    session.output.note(&format!("{account} has the plan `{plan}`"));
    Ok(())
}

async fn decide(session: &Session, args: DecisionArgs, approve: bool) -> Result<(), Failure> {
    let decision = PlanDecision { approve, note: args.note };
    let request: PlanRequest = session.client()?.decide_plan(args.id, &decision).await?;
    if session.output.json {
        return session.output.document(&request);
    }
    let PlanRequest { account, plan, .. } = &request;
    session.output.note(&match approve {
        true => format!("{account} has the plan `{plan}`"),
        false => format!("refused: {account} keeps the plan `{}`", request.plan_now),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plans_name_cannot_reach_another_address() {
        assert!("team-2".parse::<PlanName>().is_ok());
        for text in ["", "../users", "a/b", "A", "a?b", &"a".repeat(41)] {
            assert!(text.parse::<PlanName>().is_err(), "{text}");
        }
    }
}
