//! `GET /api/v1/executors`

use std::sync::Arc;

use rocket::{State, get};
use wasmcloud_wire::body::ExecutorStatus;

use crate::app::App;
use crate::guards::Admin;
use crate::reply::{Reply, Result};

/// The executors that are there, and how they are.
#[get("/executors")]
pub(crate) async fn list(app: &State<Arc<App>>, _admin: Admin) -> Result<Reply<Vec<ExecutorStatus>>> {
    Reply::ok(app.core.executors(&*app.invoker).await?)
}
