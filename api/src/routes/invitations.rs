//! `POST /api/v1/invitations`

use std::sync::Arc;

use rocket::{State, post};
use wasmcloud_wire::body::Invitation;

use crate::app::App;
use crate::guards::Admin;
use crate::reply::{Reply, Result};

/// Makes a code that one new user may register with.
#[post("/invitations")]
pub(crate) async fn create(app: &State<Arc<App>>, admin: Admin) -> Result<Reply<Invitation>> {
    Reply::created(app.core.invite(admin.0.user.id).await?, None)
}
