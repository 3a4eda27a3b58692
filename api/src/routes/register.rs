//! `POST /api/v1/register`

use std::sync::Arc;

use rocket::{State, post};
use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{RegisterRequest, TokenGrant};

use crate::app::App;
use crate::guards::{Json, Note, Peer};
use crate::reply::{Reply, Result};
use crate::store::Grounds;

/// Adds a user and logs them in.
#[post("/register")]
pub(crate) async fn register(
    app: &State<Arc<App>>,
    peer: Peer,
    note: Note,
    body: Json<RegisterRequest>,
) -> Result<Reply<TokenGrant>> {
    app.limit_peer(peer.0.ip()).await?;
    let Json(RegisterRequest { username, password, invitation }) = body;
    let name: UserName = username.parse()?;
    note.begin(None, "register", name.as_str(), None, json!({ "invited": invitation.is_some() })).await?;
    let user = app.core.register(name, password, invitation.as_deref()).await?;
    let grant = app.core.grant_login(&user, &Grounds::Known).await?;
    note.more(Some(&user), None);
    Reply::created(grant, None)
}
