//! `GET /api/v1/sign-in` and `/api/v1/oidc`: signing in at providers of OpenID Connect.

use std::sync::Arc;

use rocket::{State, get, post};
use serde_json::json;
use wasmcloud_wire::UserName;
use wasmcloud_wire::body::{
    BeginOidc, FinishOidc, OidcBegun, OidcFinished, RegisterOidc, SessionGrant, SignIn,
};

use crate::ApiError;
use crate::app::App;
use crate::guards::{Json, MaybeCaller, Note, Peer, UserAgent};
use crate::reply::{Reply, Result};

/// The ways to sign in here.
#[get("/sign-in")]
pub(crate) async fn ways(app: &State<Arc<App>>) -> Result<Reply<SignIn>> {
    Reply::ok(app.core.sign_in())
}

/// Sends a browser to a provider.
#[post("/oidc/<provider>/begin")]
pub(crate) async fn begin(
    app: &State<Arc<App>>,
    peer: Peer,
    caller: MaybeCaller,
    provider: &str,
    body: Json<BeginOidc>,
) -> Result<Reply<OidcBegun>> {
    app.limit_peer(peer.0.ip()).await?;
    let link = match (body.0.link, &caller.0) {
        (false, _) => None,
        (true, Some(caller)) => Some(caller),
        (true, None) => return Err(ApiError::unauthorized()),
    };
    Reply::ok(app.core.begin_oidc(provider, link).await?)
}

/// Takes back a browser that was at a provider.
#[post("/oidc/finish")]
pub(crate) async fn finish(
    app: &State<Arc<App>>,
    peer: Peer,
    agent: UserAgent,
    caller: MaybeCaller,
    note: Note,
    body: Json<FinishOidc>,
) -> Result<Reply<OidcFinished>> {
    let Json(finish) = body;
    let (caller, ip) = (caller.0, peer.0.ip());
    let account = caller.as_ref().map(|caller| caller.user.id);
    // Before it is noted: nobody who is not known fills the audit log.
    app.limit_peer(ip).await?;
    note.begin(caller.as_ref(), "oidc.finish", "-", account, json!({})).await?;
    let provider = finish.provider.clone();
    let (finished, identity) = app.core.finish_oidc(finish, caller.as_ref(), (&agent.0, ip)).await?;
    let user = match &finished {
        OidcFinished::SignedIn { session } => Some(&session.user),
        OidcFinished::Linked { .. } => caller.as_ref().map(|caller| &caller.user),
        OidcFinished::NewUser { .. } => None,
    };
    note.more(user, Some(&json!({ "provider": provider, "identity": identity })));
    // A sign-in that the provider confirms is no try: neither its beginning nor its end.
    app.forgive_tries("", ip).await;
    app.forgive_tries("", ip).await;
    Reply::ok(finished)
}

/// Adds a user who signs in at a provider.
#[post("/oidc/register")]
pub(crate) async fn register(
    app: &State<Arc<App>>,
    peer: Peer,
    agent: UserAgent,
    note: Note,
    body: Json<RegisterOidc>,
) -> Result<Reply<SessionGrant>> {
    let ip = peer.0.ip();
    app.limit_peer(ip).await?;
    let Json(RegisterOidc { ticket, username, invitation }) = body;
    let name: UserName = username.parse()?;
    let detail = json!({ "invited": invitation.is_some(), "oidc": true });
    note.begin(None, "register", name.as_str(), None, detail).await?;
    let grant = app.core.register_oidc(&ticket, name, invitation.as_deref(), (&agent.0, ip)).await?;
    note.more(Some(&grant.user), None);
    Reply::created(grant, None)
}
