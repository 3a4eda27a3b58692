//! What a handler did lately, as a table.

use askama::Template;
use wasmcloud_wire::body::Invocations;
use wasmcloud_wire::{Outcome, Receipt};

use super::Frame;
use crate::api::{Refused, path_with};
use crate::request::Request;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

/// Invocations of a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "handlers/invocations.html")]
struct InvocationsPage {
    shell: Shell,
    frame: Frame,
    receipts: Vec<Receipt>,
    /// Whether only failures are shown.
    failed: bool,
    /// Whether the page begins in the past.
    is_older: bool,
    /// The page that follows.
    older: Option<String>,
}

/// How an invocation ended: the badge's class, and a word.
pub(super) fn ending(receipt: &Receipt) -> (&'static str, String) {
    match (&receipt.outcome, receipt.status) {
        (Outcome::Ok, Some(500..)) => ("bad", "answered an error".to_owned()),
        (Outcome::Ok, _) => ("ok", "ok".to_owned()),
        (Outcome::Cancelled, _) => ("", "client went away".to_owned()),
        (Outcome::Exit { status }, _) => ("bad", format!("exit {status}")),
        (Outcome::Limit { limit, .. }, _) => ("bad", format!("limit: {}", limit.as_str())),
        (other, _) => ("bad", other.kind().replace('_', " ")),
    }
}

/// The answer's status, or that there was none.
pub(super) fn status(receipt: &Receipt) -> String {
    receipt.status.map_or("none".to_owned(), |status| status.to_string())
}

/// The newest, or those before one of them.
pub(super) async fn show(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "invocations").await?;
    let failed = request.query("failed").is_some();
    let before = request.query("before");
    let limit = ROWS.to_string();
    let query = [("limit", Some(limit.as_str())), ("before", before), ("failed", failed.then_some("true"))];
    let path = path_with(&["handlers", name, "invocations"], &query);
    let (frame, receipts) = match visitor.api.get::<Invocations>(&path).await {
        Ok(found) => (frame, found.receipts),
        Err(refused) => (frame.failed(refused)?, Vec::new()),
    };
    let last = receipts.last().filter(|_| receipts.len() >= ROWS);
    let older = last.map(|receipt| {
        let failed = if failed { "&failed=true" } else { "" };
        format!("?before={}{failed}", receipt.invocation)
    });
    let (shell, status) = (visitor.shell(&format!("{name}: invocations")), frame.status());
    Ok(page(status, &InvocationsPage { shell, frame, receipts, failed, is_older: before.is_some(), older }))
}

/// The second of the minute in which it began.
fn second(receipt: &Receipt) -> String {
    receipt.started_at.rfc3339().get(17..19).unwrap_or_default().to_owned()
}
