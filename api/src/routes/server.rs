//! `GET /api/v1/server`

use std::sync::Arc;

use rocket::{State, get};
use wasmcloud_wire::body::Server;

use crate::app::App;
use crate::reply::{Reply, Result};

/// What a client may know before it logs in.
#[get("/server")]
pub(crate) async fn server(app: &State<Arc<App>>) -> Result<Reply<Server>> {
    Reply::ok(Server {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        registration: app.core.config.registration.to_string(),
        limits: app.core.config.limits.clone(),
        limits_max: app.core.config.limits_max.clone(),
    })
}
