//! `/api/v1/audit`: who changed what.

use std::sync::Arc;

use rocket::{State, get};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::Audit;

use crate::ApiError;
use crate::app::App;
use crate::core::{AuditFilter, AuditFormat};
use crate::guards::{Query, Whole};
use crate::reply::{File, Reply, Result};

/// Entries that are answered unless another number is asked for.
const LIMIT: u32 = 100;
/// Entries that one answer has at most.
const LIMIT_MAX: u32 = 1_000;

/// The newest entries. Operators see all; others what they did, and what was done to what is theirs.
#[get("/audit")]
pub(crate) async fn list(app: &State<Arc<App>>, caller: Whole, query: Query) -> Result<Reply<Audit>> {
    query.only(&["since", "until", "before", "actor", "action", "subject", "limit"])?;
    let limit = query.parse("limit", &format!("a number from 1 to {LIMIT_MAX}"))?.unwrap_or(LIMIT);
    if limit == 0 || limit > LIMIT_MAX {
        return Err(ApiError::invalid(
            format!("`limit` is from 1 to {LIMIT_MAX}"),
            "go on with `before`, or write all to a file: GET /api/v1/audit/export",
        ));
    }
    Reply::ok(app.core.audit(&caller.0, &filter(&query)?, limit).await?)
}

/// All of them, oldest first, to be kept in a file.
#[get("/audit/export")]
pub(crate) async fn export(app: &State<Arc<App>>, caller: Whole, query: Query) -> Result<File> {
    query.only(&["since", "until", "actor", "action", "subject", "format"])?;
    let (format, content_type, name) = match query.get("format") {
        None | Some("ndjson") => (AuditFormat::Ndjson, "application/x-ndjson", "audit.ndjson"),
        Some("csv") => (AuditFormat::Csv, "text/csv; charset=utf-8", "audit.csv"),
        Some(_) => {
            return Err(ApiError::invalid(
                "`format` in the query is none that there is",
                "use ndjson or csv",
            ));
        }
    };
    let parts = Arc::clone(&app.core).export_audit(&caller.0, filter(&query)?, format).await?;
    Ok(File::new(content_type, name, parts))
}

fn filter(query: &Query) -> Result<AuditFilter> {
    let time = |field| {
        query.parse(field, "a time in milliseconds since 1970").map(|time: Option<i64>| time.map(Timestamp))
    };
    let text = |field| query.get(field).map(ToOwned::to_owned);
    Ok(AuditFilter {
        since: time("since")?,
        until: time("until")?,
        before: query.parse("before", "an entry's position")?,
        actor: text("actor"),
        action: text("action"),
        subject: text("subject"),
    })
}
