//! `wasmcloud list`

use wasmcloud_wire::body::Handler;

use super::versions::taken_back;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the handlers of this team
    #[arg(long)]
    team: Option<String>,
}

/// Lists the user's handlers, and those of the user's teams.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let (client, user) = session.client_and_user()?;
    let handlers = client.handlers(args.team.as_deref()).await?;
    if session.output.json {
        return session.output.document(&handlers);
    }
    if handlers.is_empty() {
        session.output.note("no handlers yet: `wasmcloud create FILE` makes one");
        return Ok(());
    }
    let taken_back: Vec<_> = handlers.iter().filter_map(note).collect();
    session.output.table(&table(handlers, user.as_deref()))?;
    taken_back.iter().for_each(|note| session.output.warn(note));
    Ok(())
}

/// The handlers; with their owners where one is not the user, and with suspensions where there is one.
fn table(handlers: Vec<Handler>, user: Option<&str>) -> Table {
    let first = handlers.first().and_then(|handler| handler.owner.as_ref());
    let by_owner = handlers.iter().any(|handler| match (&handler.owner, user) {
        (Some(owner), Some(user)) => owner.as_str() != user,
        (owner, _) => owner.as_ref() != first,
    });
    let by_suspension = handlers.iter().any(|handler| handler.suspended.is_some());
    let shown = [true, by_owner, by_owner, true, true, true, by_suspension, true];
    let only =
        |cells: [String; 8]| cells.into_iter().zip(shown).filter_map(|(cell, shown)| shown.then_some(cell));
    let headings = ["NAME", "OWNER", "YOU ARE", "LIVE", "ABI", "CHANGED", "SUSPENDED", "ADDRESS"];
    let headings: Vec<&str> =
        headings.into_iter().zip(shown).filter_map(|(heading, shown)| shown.then_some(heading)).collect();
    let mut table = Table::new(&headings);
    for handler in handlers {
        table.row(only([
            handler.name.to_string(),
            handler.owner.as_ref().map(ToString::to_string).unwrap_or_default(),
            handler.role.as_ref().map(ToString::to_string).unwrap_or_default(),
            live(&handler),
            handler.abi.to_string(),
            time(handler.updated_at),
            handler.suspended.unwrap_or_default(),
            handler.url,
        ]));
    }
    table
}

/// The live version, and one that answers a part of the clients.
fn live(handler: &Handler) -> String {
    match handler.split {
        Some(split) => format!("{}, {} for {} %", handler.live, split.version, split.percent),
        None => handler.live.to_string(),
    }
}

fn note(handler: &Handler) -> Option<String> {
    let rolled_back = handler.rolled_back.as_ref()?;
    Some(format!("{}: {}", handler.name, taken_back(&handler.name, rolled_back)))
}
