//! `wasmcloud whoami`

use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;

/// Shows who is logged in.
pub async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let user = client.whoami().await?;
    if session.output.json {
        return session.output.document(&json!({
            "id": user.id,
            "name": user.name,
            "is_admin": user.is_admin,
            "created_at": user.created_at,
            "server": client.server().to_string(),
        }));
    }
    session.output.line(user.name.as_str())?;
    let role = if user.is_admin { ", an operator of this installation" } else { "" };
    session.output.note(&format!("at {}{role}", client.server()));
    Ok(())
}
