//! `/api/v1/invitations`: codes that new users register with, for operators.

use std::sync::Arc;

use rocket::{State, delete, get, post};
use serde_json::json;
use wasmcloud_wire::body::{Invitation, InvitationInfo};

use crate::app::App;
use crate::guards::{Admin, Changing};
use crate::reply::{Done, Reply, Result};

/// Makes a code that one new user may register with.
#[post("/invitations")]
pub(crate) async fn create(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
) -> Result<Reply<Invitation>> {
    changing.noted(admin.0.user.id, "invitation.create", "-", json!({})).await?;
    Reply::created(app.core.invite(admin.0.user.id).await?, None)
}

/// Invitations that have not expired, the newest first.
#[get("/invitations")]
pub(crate) async fn list(app: &State<Arc<App>>, admin: Admin) -> Result<Reply<Vec<InvitationInfo>>> {
    let Admin(_) = admin;
    Reply::ok(app.core.invitations().await?)
}

/// Takes back an invitation that nobody has used.
#[delete("/invitations/<id>")]
pub(crate) async fn revoke(
    app: &State<Arc<App>>,
    admin: Admin,
    changing: Changing,
    id: &str,
) -> Result<Done> {
    changing.noted(admin.0.user.id, "invitation.revoke", id, json!({})).await?;
    app.core.revoke_invitation(id).await?;
    Ok(Done)
}
