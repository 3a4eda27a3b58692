//! `POST /api/v1/login`, `POST /api/v1/logout`, `GET /api/v1/whoami`

use std::net::IpAddr;
use std::sync::Arc;

use rocket::{State, get, post};
use serde_json::json;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{LoginRequest, TokenGrant, User};

use crate::app::App;
use crate::auth::{Caller, Tries, Via};
use crate::core::wrong_credentials;
use crate::guards::{Changing, Json, Note, Peer};
use crate::reply::{Done, Reply, Result};
use crate::store::Grounds;

/// Changes a name and a password for a token.
#[post("/login")]
pub(crate) async fn login(
    app: &State<Arc<App>>,
    peer: Peer,
    note: Note,
    body: Json<LoginRequest>,
) -> Result<Reply<TokenGrant>> {
    let Json(LoginRequest { username, password }) = body;
    let (user, grounds) = checked(app, peer.0.ip(), &username, password, async || {
        note.begin(None, "login", &username, None, json!({})).await
    })
    .await?;
    let grant = app.core.grant_login(&user, &grounds).await?;
    note.more(Some(&user), Some(&json!({ "token": grant.id })));
    Reply::ok(grant)
}

/// The user whom a name and a password belong to, and what the user is known by then, as often as one may try. `note` is done
/// before the password is looked at.
pub(super) async fn checked(
    app: &App,
    peer: IpAddr,
    username: &str,
    password: String,
    note: impl AsyncFnOnce() -> Result<()>,
) -> Result<(User, Grounds)> {
    app.limit_peer(peer).await?;
    app.limit(Tries::Logins, username).await?;
    app.limit(Tries::Passwords, username).await?;
    note().await?;
    let known = app.core.check_password(username, password).await?.map_err(|_| wrong_credentials())?;
    app.forgive_tries(username, peer).await;
    Ok(known)
}

/// Ends the token, or the session, that the request is made with.
#[post("/logout")]
pub(crate) async fn logout(app: &State<Arc<App>>, changing: Changing) -> Result<Done> {
    let caller = &changing.caller;
    changing.noted(caller.user.id, "logout", caller.user.name.as_str(), json!({})).await?;
    match caller.via {
        Via::Token(id) => app.core.store.revoke_token(caller.user.id, id, Timestamp::now()).await?,
        Via::Session(id) => app.core.store.end_session(caller.user.id, id).await?,
    };
    Ok(Done)
}

/// Says whom the request speaks for.
#[get("/whoami")]
pub(crate) async fn whoami(caller: Caller) -> Result<Reply<User>> {
    Reply::ok(caller.user)
}
