//! `/operator/audit`: who changed what.

use askama::Template;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::{Audit, AuditEntry};

use crate::api::{Refused, path_with};
use crate::request::Request;
use crate::response::{Response, page};
use crate::router::said;
use crate::shell::{Shell, Visitor};

/// How many entries are on a page.
const PAGE: usize = 100;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

#[derive(Template)]
#[template(path = "operator/audit.html")]
struct AuditPage<'a> {
    shell: Shell,
    tab: &'static str,
    actor: &'a str,
    action: &'a str,
    subject: &'a str,
    since: &'a str,
    entries: Vec<Entry>,
    /// Whether these are not the newest.
    is_later: bool,
    /// The query of the same filters.
    filters: String,
    /// The query of the page after this one, if there are entries that were not looked at.
    older: Option<String>,
}

/// An entry as it is shown.
pub(super) struct Entry {
    pub(super) entry: AuditEntry,
    /// What else there is to say: `key value`.
    pub(super) detail: Vec<(String, String)>,
}

impl Entry {
    /// The badge's class.
    pub(super) fn class(&self) -> &'static str {
        match self.entry.status {
            None => "warn",
            Some(status) if status < 400 => "ok",
            Some(_) => "bad",
        }
    }

    /// By what the actor was known: the end of an id tells it from others, and the export has all of it.
    pub(super) fn via(&self) -> String {
        let (kind, id) = self.entry.via.split_once(' ').unwrap_or((&self.entry.via, ""));
        match id.rsplit('-').next().filter(|end| !end.is_empty()) {
            Some(end) => format!("{kind} …{end}"),
            None => kind.to_owned(),
        }
    }

    /// What came of it.
    pub(super) fn outcome(&self) -> String {
        match self.entry.status {
            None => "not finished".to_owned(),
            Some(status) if status < 400 => "done".to_owned(),
            Some(status) => format!("refused, {status}"),
        }
    }
}

/// Entries as they are shown.
pub(super) fn entries(entries: Vec<AuditEntry>) -> Vec<Entry> {
    let shown = |entry: AuditEntry| {
        let detail = entry.detail.iter().map(|(key, value)| (key.clone(), text(value)));
        let detail = detail.filter(|(_, value)| !value.is_empty()).collect();
        Entry { entry, detail }
    };
    entries.into_iter().map(shown).collect()
}

/// A value in words; nothing if it says nothing.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A page of the log, newest first.
pub(crate) async fn list(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let (since, limit) = (since_ms(request)?, PAGE.to_string());
    let mut fields = filters(request, since.as_deref());
    fields.extend([("before", request.query("before")), ("limit", Some(limit.as_str()))]);
    let audit: Audit = visitor.api.get(&path_with(&["audit"], &fields)).await?;
    let query = |before: Option<i64>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let given = |name| request.query(name).map(|value| (name, value));
        query.extend_pairs(["actor", "action", "subject", "since"].into_iter().filter_map(given));
        query.extend_pairs(before.map(|before| ("before", before.to_string())));
        query.finish()
    };
    let field = |name| request.query(name).unwrap_or_default();
    let audit = AuditPage {
        shell: visitor.shell("Audit log"),
        tab: "audit",
        actor: field("actor"),
        action: field("action"),
        subject: field("subject"),
        since: field("since"),
        entries: entries(audit.entries),
        is_later: request.query("before").is_some(),
        filters: query(None),
        older: audit.next_before.map(|before| query(Some(before))),
    };
    Ok(page(StatusCode::OK, &audit))
}

/// The same entries as a file, passed on as it comes.
pub(crate) async fn export(request: &Request, visitor: &Visitor) -> Result<Response, Refused> {
    let since = since_ms(request)?;
    let (format, disposition) = match request.query("format") {
        Some("csv") => (Some("csv"), "attachment; filename=\"audit.csv\""),
        _ => (None, "attachment; filename=\"audit.ndjson\""),
    };
    let mut fields = filters(request, since.as_deref());
    fields.push(("format", format));
    let path = path_with(&["audit", "export"], &fields);
    let (parts, body) = visitor.api.stream(Method::GET, &path, &[], Default::default()).await.into_parts();
    if !parts.status.is_success() {
        return Err(said(
            parts.status,
            "no_export",
            "the audit log cannot be exported",
            "try again in a moment",
        ));
    }
    let mut response = Response::new(body);
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    Ok(response)
}

fn filters<'a>(request: &'a Request, since: Option<&'a str>) -> Vec<(&'static str, Option<&'a str>)> {
    let mut fields: Vec<(&'static str, Option<&'a str>)> =
        ["actor", "action", "subject"].map(|name| (name, request.query(name))).to_vec();
    fields.push(("since", since));
    fields
}

/// The day that was filled in, as the API has it: its first millisecond in UTC.
fn since_ms(request: &Request) -> Result<Option<String>, Refused> {
    let Some(day) = request.query("since") else { return Ok(None) };
    let wrong = || {
        let message = format!("`{day}` is no day");
        said(StatusCode::BAD_REQUEST, "bad_query", &message, "write it as year, month and day: 2026-11-22")
    };
    day_ms(day).map(|ms| Some(ms.to_string())).ok_or_else(wrong)
}

/// The first millisecond of a day in UTC, of `2026-11-22`.
fn day_ms(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970, with years that begin in March, so that the day that leap years have is the last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let ms = days * DAY_MS;
    // Such as 31 April, which is none.
    Timestamp(ms).rfc3339().starts_with(text).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_utc_and_only_those_that_there_are() {
        for day in ["1970-01-01", "2000-02-29", "2026-11-22", "2027-03-01", "2028-12-31"] {
            let ms = day_ms(day).unwrap();
            assert_eq!(Timestamp(ms).rfc3339(), format!("{day}T00:00:00.000Z"));
        }
        for text in
            ["", "today", "2026-13-01", "2026-02-29", "2026-04-31", "2026-11", "1969-12-31", "2026-1-2"]
        {
            assert_eq!(day_ms(text), None, "{text}");
        }
    }
}
