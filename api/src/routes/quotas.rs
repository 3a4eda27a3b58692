//! `/api/v1/quotas`: what an account uses, and how much it may.

use std::sync::Arc;

use rocket::{State, get};
use wasmcloud_wire::body::{Quotas, Role, Scope};

use crate::app::App;
use crate::auth::Caller;
use crate::core::{has_scope, is_unlimited};
use crate::guards::Query;
use crate::reply::{Reply, Result};

/// The quotas of the user's own account, or of a team that the user belongs to.
#[get("/quotas")]
pub(crate) async fn show(app: &State<Arc<App>>, caller: Caller, query: Query) -> Result<Reply<Quotas>> {
    query.only(&["team"])?;
    has_scope(&caller, Scope::Read)?;
    is_unlimited(&caller)?;
    let account = app.core.account_for(&caller, query.get("team"), Role::Viewer).await?;
    Reply::ok(app.core.quotas(account).await?)
}
