//! `/api/v1/sessions`: a user's own sessions of the panel.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::body::{LoginRequest, SessionGrant, SessionInfo};

use super::login::checked;
use crate::ApiError;
use crate::app::App;
use crate::guards::{Changing, Json, Note, Peer, UserAgent, Whole};
use crate::reply::{Done, Reply, Result};

/// Changes a name and a password for a session.
#[post("/sessions")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    peer: Peer,
    agent: UserAgent,
    note: Note,
    body: Json<LoginRequest>,
) -> Result<Reply<SessionGrant>> {
    let Json(LoginRequest { username, password }) = body;
    let ip = peer.0.ip();
    let (user, grounds) = checked(app, ip, &username, password, async || {
        note.begin(None, "session.create", &username, None, json!({})).await
    })
    .await?;
    let grant = app.core.begin_session(user, &grounds, &agent.0, ip).await?;
    note.more(Some(&grant.user), None);
    Reply::created(grant, None)
}

/// The user's sessions that have not ended.
#[get("/sessions")]
pub(crate) async fn list(app: &State<Arc<App>>, whole: Whole) -> Result<Reply<Vec<SessionInfo>>> {
    Reply::ok(app.core.sessions(&whole.0).await?)
}

/// Ends a session.
#[delete("/sessions/<id>")]
pub(crate) async fn end(app: &State<Arc<App>>, changing: Changing, id: &str) -> Result<Done> {
    changing.own("session.end", id).await?;
    let ended = match Uuid::parse_str(id) {
        Ok(id) => app.core.store.end_session(changing.caller.user.id, id).await?,
        Err(_) => false,
    };
    if ended {
        return Ok(Done);
    }
    Err(ApiError::new(
        404,
        "session_not_found",
        "you have no such session",
        "GET /api/v1/sessions lists those that you have",
    ))
}
