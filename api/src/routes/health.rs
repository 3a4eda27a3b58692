//! `/healthz` and `/readyz`, at the root and below `/api/v1`.

use std::sync::Arc;
use std::time::Duration;

use rocket::{State, get};
use serde_json::{Value, json};

use crate::ApiError;
use crate::app::App;
use crate::reply::{Reply, Result};

/// How long the store and the place for modules may take to answer.
const READY_MAX: Duration = Duration::from_secs(2);

/// The process is alive.
#[get("/healthz")]
pub(crate) async fn healthz() -> Result<Reply<Value>> {
    Reply::ok(json!({"status": "ok"}))
}

/// The store and the place for modules answer, and the server is not shutting down.
#[get("/readyz")]
pub(crate) async fn readyz(app: &State<Arc<App>>) -> Result<Reply<Value>> {
    if app.core.closing.is_cancelled() {
        return Err(ApiError::unavailable("shutting down"));
    }
    tokio::time::timeout(READY_MAX, app.core.ready()).await.map_err(ApiError::unavailable)??;
    Reply::ok(json!({"status": "ok"}))
}
