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
    let handlers = session.client()?.handlers(args.team.as_deref()).await?;
    if session.output.json {
        return session.output.document(&handlers);
    }
    if handlers.is_empty() {
        session.output.note("no handlers yet: `wasmcloud create FILE` makes one");
        return Ok(());
    }
    let taken_back: Vec<_> = handlers.iter().filter_map(note).collect();
    session.output.table(&table(handlers))?;
    taken_back.iter().for_each(|note| session.output.warn(note));
    Ok(())
}

/// The handlers with their owners, where there is more than one.
fn table(handlers: Vec<Handler>) -> Table {
    let first = handlers.first().and_then(|handler| handler.owner.clone());
    let by_owner = handlers.iter().any(|handler| handler.owner != first);
    let mut table = match by_owner {
        true => Table::new(&["NAME", "OWNER", "YOU ARE", "LIVE", "ABI", "CHANGED", "ADDRESS"]),
        false => Table::new(&["NAME", "LIVE", "ABI", "CHANGED", "ADDRESS"]),
    };
    for handler in handlers {
        let name = handler.name.to_string();
        let (live, abi, changed) = (live(&handler), handler.abi.to_string(), time(handler.updated_at));
        if by_owner {
            let owner = handler.owner.as_ref().map(ToString::to_string).unwrap_or_default();
            let role = handler.role.as_ref().map(ToString::to_string).unwrap_or_default();
            table.row([name, owner, role, live, abi, changed, handler.url]);
        } else {
            table.row([name, live, abi, changed, handler.url]);
        }
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
