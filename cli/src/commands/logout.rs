//! `wasmcloud logout`

use serde_json::json;

use crate::client::Client;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::session::Session;

/// Revokes the token on the server and forgets it here; here also when the server is away.
pub async fn run(session: &Session) -> Result<(), Failure> {
    let mut place = session.place()?;
    let Some(token) = place.token().cloned() else {
        session.output.tell(&format!("not logged in at {}: nothing to do", place.server));
        return answer(session, false);
    };
    let revoked = Client::new(place.server.clone(), Some(token))?.logout().await;
    place.settings.token = None;
    place.file.save(&place.settings)?;
    match revoked {
        Ok(()) => {
            session.output.tell(&format!("logged out at {}", place.server));
            answer(session, true)
        }
        // The server no longer knows the token: that is what was wanted.
        Err(failure) if failure.status() == Some(401) => {
            session.output.tell(&format!("logged out at {}; the token had already ended", place.server));
            answer(session, true)
        }
        Err(failure) if failure.exit() == Exit::Unreachable => {
            session.output.warn(&format!(
                "{} did not answer: the token is forgotten here, but good there until it ends or is revoked",
                place.server
            ));
            answer(session, false)
        }
        Err(failure) => Err(failure),
    }
}

fn answer(session: &Session, revoked: bool) -> Result<(), Failure> {
    if session.output.json { session.output.document(&json!({ "revoked": revoked })) } else { Ok(()) }
}
