//! `POST /api/v1/login`, `POST /api/v1/logout`, `GET /api/v1/whoami`

use std::net::IpAddr;
use std::sync::Arc;

use rocket::{State, get, post};
use serde_json::json;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{LoginRequest, TokenGrant, User};

use crate::ApiError;
use crate::app::App;
use crate::auth::{Caller, Via};
use crate::core::SESSION_DAYS;
use crate::guards::{Changing, Json, Note, Peer};
use crate::reply::{Done, Reply, Result};

/// What a token is called that a login made.
pub(super) const SESSION_LABEL: &str = "login";

/// Changes a name and a password for a token.
#[post("/login")]
pub(crate) async fn login(
    app: &State<Arc<App>>,
    peer: Peer,
    note: Note,
    body: Json<LoginRequest>,
) -> Result<Reply<TokenGrant>> {
    let Json(LoginRequest { username, password }) = body;
    let user = checked(app, peer.0.ip(), &username, password, async || {
        note.begin(None, "login", &username, None, json!({})).await
    })
    .await?;
    Reply::ok(app.core.grant_token(&user, SESSION_LABEL, SESSION_DAYS).await?)
}

/// The user whom a name and a password belong to, as often as one may try. `note` is done before the password is looked at.
pub(super) async fn checked(
    app: &App,
    peer: IpAddr,
    username: &str,
    password: String,
    note: impl AsyncFnOnce() -> Result<()>,
) -> Result<User> {
    app.limit_peer(peer).await?;
    app.limit_account(username).await?;
    note().await?;
    let user = app.core.check_password(username, password).await?.map_err(|_| {
        ApiError::new(
            401,
            "wrong_credentials",
            "no user has this name and this password",
            "check both; `wasmcloud login` asks for them again",
        )
    })?;
    app.forgive_tries(username, peer).await;
    Ok(user)
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
