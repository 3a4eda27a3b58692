//! `/api/v1/handlers/N/chart` and `/api/v1/charts`: how handlers did over time.

use std::sync::Arc;

use rocket::{State, get};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Chart, Scope, Span, Sparkline};

use super::{handler_for, handler_name};
use crate::app::{App, HeavyRead};
use crate::auth::Caller;
use crate::core::{Right, has_scope};
use crate::guards::Query;
use crate::reply::{Reply, Result};

/// How a handler did.
#[get("/handlers/<name>/chart")]
pub(crate) async fn chart(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
) -> Result<Reply<Chart>> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    let span = span(&query, Span::Hour)?;
    let _place = app.heavy_read(&caller.user, HeavyRead::Search).await?;
    Reply::ok(app.core.chart(row.id, span, Timestamp::now()).await?)
}

/// How often each of the caller's handlers ran.
#[get("/charts")]
pub(crate) async fn list(
    app: &State<Arc<App>>,
    caller: Caller,
    query: Query,
) -> Result<Reply<Vec<Sparkline>>> {
    has_scope(&caller, Scope::Read)?;
    let span = span(&query, Span::Day)?;
    let _place = app.heavy_read(&caller.user, HeavyRead::Search).await?;
    Reply::ok(app.core.sparklines(&caller, span, Timestamp::now()).await?)
}

fn span(query: &Query, usual: Span) -> Result<Span> {
    query.only(&["span"])?;
    Ok(query.parse("span", "hour, day or week")?.unwrap_or(usual))
}
