//! `/api/v1/logins`: programs that ask for a token, which somebody approves in a browser.

use std::sync::Arc;

use rocket::{State, get, post};
use serde_json::json;
use uuid::Uuid;
use wasmcloud_wire::body::{
    FinishLogin, LoginBegun, LoginDecided, LoginDecision, NewLogin, PendingLogin, TokenGrant,
};

use crate::app::App;
use crate::auth::Tries;
use crate::guards::{Changing, Json, Note, Peer, Whole};
use crate::reply::{Reply, Result};

/// Begins a login.
#[post("/logins")]
pub(crate) async fn begin(
    app: &State<Arc<App>>,
    peer: Peer,
    body: Json<NewLogin>,
) -> Result<Reply<LoginBegun>> {
    app.limit_peer(peer.0.ip()).await?;
    Reply::created(app.core.begin_login(body.0, peer.0.ip()).await?, None)
}

/// What waits with a code.
#[get("/logins/<code>")]
pub(crate) async fn show(app: &State<Arc<App>>, whole: Whole, code: &str) -> Result<Reply<PendingLogin>> {
    // Codes that are right count too: who has one must not guess more for it.
    app.limit(Tries::Codes, whole.0.user.name.as_str()).await?;
    Reply::ok(app.core.pending_login(code).await?)
}

/// Approves a login, or refuses it.
#[post("/logins/<code>/decision")]
pub(crate) async fn decide(
    app: &State<Arc<App>>,
    changing: Changing,
    code: &str,
    body: Json<LoginDecision>,
) -> Result<Reply<LoginDecided>> {
    let approve = body.0.approve;
    let caller = &changing.caller;
    let subject = caller.user.name.as_str();
    changing.noted(caller.user.id, "login.decide", subject, json!({ "approve": approve })).await?;
    app.limit(Tries::Decisions, subject).await?;
    Reply::ok(app.core.decide_login(caller, code, approve).await?)
}

/// Gives the program its token, once somebody has approved.
#[post("/logins/<id>/token")]
pub(crate) async fn token(
    app: &State<Arc<App>>,
    peer: Peer,
    note: Note,
    id: &str,
    body: Json<FinishLogin>,
) -> Result<Reply<TokenGrant>> {
    // What is no id is none of ours, as one that has expired.
    let id = Uuid::parse_str(id).unwrap_or_default();
    app.limiter.limit_polls(peer.0.ip())?;
    let login = app.core.finish_login(id, body.0).await?;
    let (user, detail) = (&login.user, json!({ "login": login.id, "label": login.label }));
    note.begin(None, "login.token", user.name.as_str(), Some(user.id), detail).await?;
    let grant = app.core.grant_approved(login).await?;
    note.more(Some(&grant.user), None);
    Reply::ok(grant)
}
