//! `wasmcloud invite`

use crate::failure::Failure;
use crate::session::Session;
use crate::text::time;

/// Makes an invitation, and prints its code.
pub async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let invitation = client.invite().await?;
    if session.output.json {
        return session.output.document(&invitation);
    }
    session.output.note(&format!(
        "one new user may register with this code until {}: `wasmcloud register --api-server {} --invitation CODE`",
        time(invitation.expires_at),
        client.server()
    ));
    session.output.line(&invitation.code)
}
