//! `/api/v1/handlers/N/logs` and `/invocations`: what handlers did.

use std::sync::Arc;

use rocket::request::{FromRequest, Outcome};
use rocket::response::{self, Responder};
use rocket::{Request, State, get};
use wasmcloud_wire::body::{Invocation, Invocations, Logs};
use wasmcloud_wire::{InvocationId, Level, Timestamp};

use super::{handler_for, handler_name};
use crate::ApiError;
use crate::app::{App, HeavyRead};
use crate::auth::Caller;
use crate::core::{Follow, ResumeAt, Right};
use crate::guards::{Query, reject};
use crate::reply::{Live, Reply, Result};
use crate::store::{LineFilter, LineSearch, LogQuery, ReceiptSearch};

/// Lines or receipts that are answered unless another number is asked for.
const LIMIT: u32 = 100;
/// Lines or receipts that one answer has at most.
const LIMIT_MAX: u32 = 1_000;
/// Lines that are shown of one invocation at most; its log limit in bytes usually ends it earlier.
const INVOCATION_LINES_MAX: u32 = 10_000;
/// Characters of a text that is searched for, at most.
const TEXT_CHARS_MAX: usize = 200;
const FIELDS: &[&str] = &["since", "until", "invocation", "level", "text", "limit", "follow"];

/// Either the lines that there are, or those to come.
pub(crate) enum LogAnswer {
    Now(Reply<Logs>),
    Follow(Live),
}

impl<'r> Responder<'r, 'static> for LogAnswer {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        match self {
            LogAnswer::Now(reply) => reply.respond_to(request),
            LogAnswer::Follow(live) => live.respond_to(request),
        }
    }
}

/// Where a client that lost its connection wants to go on.
pub(crate) struct LastEventId(Option<ResumeAt>);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for LastEventId {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<LastEventId, ()> {
        let Some(text) = request.headers().get_one("last-event-id") else {
            return Outcome::Success(LastEventId(None));
        };
        match text.parse() {
            Ok(id) => Outcome::Success(LastEventId(Some(id))),
            Err(()) => reject(
                request,
                ApiError::invalid(
                    "`Last-Event-ID` is no id that this server gave",
                    "leave it out to begin anew",
                ),
            ),
        }
    }
}

/// A handler's log.
#[get("/handlers/<name>/logs")]
pub(crate) async fn logs(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
    resume: LastEventId,
) -> Result<LogAnswer> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    query.only(FIELDS)?;
    let (wanted, filter) = (log_query(&query)?, line_filter(&query)?);
    let until = time(&query, "until")?;
    if query.parse("follow", "true or false")?.unwrap_or(false) {
        if until.is_some() {
            return Err(ApiError::invalid(
                "a log that is followed has no end, so `until` says nothing",
                "leave it out",
            ));
        }
        let place = app.follower(caller.user.id).await?;
        let _search = match filter.is_empty() {
            true => Vec::new(),
            // For what there is already; what comes is little.
            false => app.heavy_read(&caller.user, HeavyRead::Search).await?,
        };
        let follow =
            Follow { caller, handler: row.id, name: row.name, query: wanted, filter, resume: resume.0 };
        let events = Arc::clone(&app.core).follow(follow, place).await?;
        return Ok(LogAnswer::Follow(Live::events(events)));
    }
    let LogQuery { since, invocation, limit, .. } = wanted;
    let _search = match filter.is_empty() {
        true => Vec::new(),
        false => app.heavy_read(&caller.user, HeavyRead::Search).await?,
    };
    let (lines, more_before) = if filter.is_empty() && until.is_none() {
        (app.core.store.log_lines(row.id, &wanted).await?, None)
    } else {
        let search = LineSearch { since, until, invocation, filter, limit };
        let found = app.core.store.search_lines(row.id, &search).await?;
        (found.lines, found.more_before)
    };
    let lines = lines.into_iter().map(|line| line.record).collect();
    Reply::ok(Logs { lines, more_before }).map(LogAnswer::Now)
}

/// A handler's receipts, newest first.
#[get("/handlers/<name>/invocations")]
pub(crate) async fn invocations(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    query: Query,
) -> Result<Reply<Invocations>> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    query.only(&["since", "before", "failed", "limit"])?;
    let LogQuery { since, limit, .. } = log_query(&query)?;
    let before = query.parse("before", "an invocation's id")?;
    let failed = query.parse("failed", "true or false")?.unwrap_or(false);
    let search = ReceiptSearch { since, before, failed, limit };
    let _search = match failed {
        true => app.heavy_read(&caller.user, HeavyRead::Search).await?,
        false => Vec::new(),
    };
    let receipts = app.core.store.search_receipts(row.id, &search).await?.ok_or_else(invocation_not_found)?;
    Reply::ok(Invocations { receipts: receipts.into_iter().map(|receipt| receipt.record).collect() })
}

/// One invocation's receipt and log.
#[get("/handlers/<name>/invocations/<id>")]
pub(crate) async fn invocation(
    app: &State<Arc<App>>,
    caller: Caller,
    name: &str,
    id: &str,
) -> Result<Reply<Invocation>> {
    let row = handler_for(&app.core, &caller, &handler_name(name)?, Right::Read).await?;
    let id: InvocationId = id.parse().map_err(|_| invocation_not_found())?;
    let query = LogQuery { since: None, invocation: Some(id), after: None, limit: INVOCATION_LINES_MAX };
    // The receipt first: whoever sees it finds all of the lines, which came with it or before it.
    let receipts = app.core.store.receipts(row.id, &LogQuery { limit: 1, ..query.clone() }).await?;
    let lines = app.core.store.log_lines(row.id, &query).await?;
    let receipt = receipts.into_iter().next().map(|receipt| receipt.record);
    if receipt.is_none() && lines.is_empty() {
        return Err(invocation_not_found());
    }
    Reply::ok(Invocation { receipt, lines: lines.into_iter().map(|line| line.record).collect() })
}

fn log_query(query: &Query) -> Result<LogQuery> {
    let limit = query.parse("limit", &format!("a number from 0 to {LIMIT_MAX}"))?.unwrap_or(LIMIT);
    if limit > LIMIT_MAX {
        return Err(ApiError::invalid(
            format!("`limit` is at most {LIMIT_MAX}"),
            "ask for less, or use `since`",
        ));
    }
    Ok(LogQuery {
        since: time(query, "since")?,
        invocation: query.parse("invocation", "an invocation's id")?,
        after: None,
        limit,
    })
}

fn time(query: &Query, field: &str) -> Result<Option<Timestamp>> {
    Ok(query.parse(field, "a time in milliseconds since 1970")?.map(Timestamp))
}

/// What lines have to say.
fn line_filter(query: &Query) -> Result<LineFilter> {
    let level = match query.get("level") {
        None => None,
        Some("error") => Some(Level::ERROR),
        Some("warning") => Some(Level::WARNING),
        Some("information") => Some(Level::INFO),
        Some(other) => {
            let other: String = other.chars().take(64).collect();
            return Err(ApiError::invalid(
                format!("`level={other}` in the query is no level"),
                "use error, warning or information: lines of that level, and graver ones",
            ));
        }
    };
    let text = query.get("text").map(ToOwned::to_owned);
    if text.as_ref().is_some_and(|text| text.is_empty() || text.chars().count() > TEXT_CHARS_MAX) {
        return Err(ApiError::invalid(
            format!("`text` in the query has 1 to {TEXT_CHARS_MAX} characters"),
            "leave it out to see all lines",
        ));
    }
    // PostgreSQL's texts cannot hold a NUL, and no line has one.
    Ok(LineFilter { level, text: text.map(|text| text.replace('\0', "\u{fffd}")) })
}

fn invocation_not_found() -> ApiError {
    ApiError::new(
        404,
        "invocation_not_found",
        "this handler has no record of such an invocation",
        "records are kept for a few days only, and appear within a second of the answer",
    )
}
