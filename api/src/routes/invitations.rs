//! `POST /api/v1/invitations`

use std::sync::Arc;

use rocket::{State, post};
use serde_json::json;
use wasmcloud_wire::body::Invitation;

use crate::app::App;
use crate::guards::{Admin, Changing};
use crate::reply::{Reply, Result};

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
