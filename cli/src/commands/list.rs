//! `wasmcloud list`

use wasmcloud_wire::body::Handler;

use super::versions::taken_back;
use crate::failure::Failure;
use crate::output::Table;
use crate::session::Session;
use crate::text::time;

/// Lists the user's handlers.
pub async fn run(session: &Session) -> Result<(), Failure> {
    let handlers = session.client()?.handlers().await?;
    if session.output.json {
        return session.output.document(&handlers);
    }
    if handlers.is_empty() {
        session.output.note("no handlers yet: `wasmcloud create FILE` makes one");
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "LIVE", "ABI", "CHANGED", "ADDRESS"]);
    let taken_back: Vec<_> = handlers.iter().filter_map(note).collect();
    for handler in handlers {
        table.row([
            handler.name.to_string(),
            live(&handler),
            handler.abi.to_string(),
            time(handler.updated_at),
            handler.url,
        ]);
    }
    session.output.table(&table)?;
    taken_back.iter().for_each(|note| session.output.warn(note));
    Ok(())
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
