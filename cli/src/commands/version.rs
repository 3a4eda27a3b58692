//! `wasmcloud version`

use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints the version.
pub fn run(session: &Session) -> Result<(), Failure> {
    if session.output.json {
        return session.output.document(&json!({ "name": "wasmcloud", "version": VERSION }));
    }
    session.output.line(&format!("wasmcloud {VERSION}"))
}
