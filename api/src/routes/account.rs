//! `/api/v1/account`, and new passwords.

use std::sync::Arc;

use rocket::{State, delete, get, post, put};
use serde_json::json;
use wasmcloud_wire::body::{Account, ChangePassword, ResetPassword};

use crate::ApiError;
use crate::app::App;
use crate::auth::Tries;
use crate::core::WrongPassword;
use crate::guards::{Changing, Json, Note, Peer, Whole};
use crate::reply::{Done, Reply, Result};

/// What the caller's account is.
#[get("/account")]
pub(crate) async fn show(app: &State<Arc<App>>, whole: Whole) -> Result<Reply<Account>> {
    Reply::ok(app.core.account(&whole.0).await?)
}

/// Changes the caller's password. Tries count like those of a login.
#[put("/account/password")]
pub(crate) async fn password(
    app: &State<Arc<App>>,
    peer: Peer,
    changing: Changing,
    body: Json<ChangePassword>,
) -> Result<Done> {
    let (caller, ip) = (&changing.caller, peer.0.ip());
    let name = caller.user.name.as_str();
    changing.own("account.password", name).await?;
    app.limit_peer(ip).await?;
    app.limit(Tries::Passwords, name).await?;
    let changed = app.core.change_password(caller, body.0).await?;
    changed.map_err(|WrongPassword| {
        ApiError::new(
            403,
            "wrong_password",
            "this is not your password so far",
            "check it; whoever operates this server can make a reset: `wasmcloud users reset NAME`",
        )
    })?;
    app.forgive_tries(name, ip).await;
    Ok(Done)
}

/// Takes an identity at a provider from the caller.
#[delete("/account/identities/<id>")]
pub(crate) async fn unlink(app: &State<Arc<App>>, changing: Changing, id: &str) -> Result<Done> {
    changing.own("account.identity.unlink", id).await?;
    app.core.unlink(&changing.caller, id).await?;
    Ok(Done)
}

/// Sets a new password for whoever has a code of an operator's.
#[post("/reset")]
pub(crate) async fn reset(
    app: &State<Arc<App>>,
    peer: Peer,
    note: Note,
    body: Json<ResetPassword>,
) -> Result<Done> {
    app.limit_peer(peer.0.ip()).await?;
    let Json(ResetPassword { code, password }) = body;
    note.begin(None, "account.reset", "-", None, json!({})).await?;
    let user = app.core.reset_password(&code, password).await?;
    // It is done, whether or not that can be found out.
    let known = app.core.store.known(user).await.ok().flatten();
    note.more(known.map(|known| known.user).as_ref(), None);
    Ok(Done)
}
