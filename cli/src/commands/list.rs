//! `wasmcloud list`

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
    for handler in handlers {
        table.row([
            handler.name.to_string(),
            handler.live.to_string(),
            handler.abi.to_string(),
            time(handler.updated_at),
            handler.url,
        ]);
    }
    session.output.table(&table)
}
