//! A handler's log: the newest lines on the page, and those to come as events for a script.

use askama::Template;
use http::{HeaderValue, Method, header};
use wasmcloud_wire::body::Logs;
use wasmcloud_wire::{InvocationId, Level, LogLine, Timestamp};

use super::Frame;
use crate::api::{Refused, path_with};
use crate::request::Request;
use crate::response::{Response, page};
use crate::shell::{Shell, Visitor};

/// Lines of a page, and of the beginning of a stream.
const LINES: &str = "200";

#[derive(Template)]
#[template(path = "handlers/log.html")]
struct LogPage {
    shell: Shell,
    frame: Frame,
    filter: Filter,
    lines: Vec<Line>,
    /// Before when lines were not searched, and the page that does so.
    earlier: Option<(Timestamp, String)>,
    /// Where the script gets those to come; none where the page ends in the past.
    events: Option<String>,
    reload: String,
}

/// Which lines are wanted.
struct Filter {
    level: String,
    invocation: String,
    text: String,
    until: String,
}

impl Filter {
    fn of(request: &Request) -> Filter {
        let field = |name| request.query(name).unwrap_or_default().trim().to_owned();
        Filter {
            level: field("level"),
            invocation: field("invocation"),
            text: field("text"),
            until: field("until"),
        }
    }

    fn query(&self) -> [(&'static str, Option<&str>); 3] {
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        [
            ("level", given(self.level.as_str())),
            ("invocation", given(self.invocation.as_str())),
            ("text", given(self.text.as_str())),
        ]
    }

    /// The address of a page of ours with this filter.
    fn address(&self, page: &str, until: Option<Timestamp>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.query() {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        if let Some(until) = until {
            query.append_pair("until", &until.0.to_string());
        }
        let query = query.finish();
        if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
    }
}

/// A line as it is shown.
pub(super) struct Line {
    /// What tells it from all others, also for the script.
    pub key: String,
    /// Its invocation, and as much of its id as tells it from its neighbours.
    pub invocation: InvocationId,
    pub short: String,
    pub exact: String,
    pub clock: String,
    /// The class of its level.
    pub class: &'static str,
    pub level: String,
    pub source: &'static str,
    pub text: String,
}

impl Line {
    pub(super) fn of(line: &LogLine) -> Line {
        Line {
            key: format!("{}-{}", line.invocation, line.seq),
            invocation: line.invocation,
            short: short(line.invocation),
            exact: line.at.rfc3339(),
            clock: crate::format::clock(&line.at),
            class: class(line.level),
            level: line.level.to_string(),
            source: line.source.as_str(),
            text: crate::format::visible(&line.text),
        }
    }
}

/// The end of an id: its beginning is the time, and the same for all of a minute.
pub(super) fn short(id: InvocationId) -> String {
    let id = id.to_string();
    id.get(id.len().saturating_sub(8)..).unwrap_or_default().to_owned()
}

fn class(level: Level) -> &'static str {
    match level.0 {
        ..=1 => "error",
        2..=3 => "warning",
        _ => "info",
    }
}

/// The newest lines.
pub(super) async fn show(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let frame = Frame::of(visitor, name, "log").await?;
    let filter = Filter::of(request);
    let [level, invocation, text] = filter.query();
    let until = ("until", Some(filter.until.as_str()).filter(|until| !until.is_empty()));
    let query = [("limit", Some(LINES)), level, invocation, text, until];
    let (frame, logs) = match visitor.api.get::<Logs>(&path_with(&["handlers", name, "logs"], &query)).await {
        Ok(logs) => (frame, logs),
        Err(refused) => (frame.failed(refused)?, Logs { lines: Vec::new(), more_before: None }),
    };
    let events = filter.until.is_empty() && frame.error.is_none();
    let events = events.then(|| filter.address(&frame.page("log/events"), None));
    let reload = filter.address(&frame.page("log"), None);
    let lines = logs.lines.iter().map(Line::of).collect();
    let earlier = logs.more_before.map(|before| (before, filter.address(&frame.page("log"), Some(before))));
    let (shell, status) = (visitor.shell(&format!("{name}: log")), frame.status());
    Ok(page(status, &LogPage { shell, frame, filter, lines, earlier, events, reload }))
}

/// The lines to come, as the API streams them. A browser that lost its connection says itself where it was; a script
/// that had to begin anew says it in the address.
pub(super) async fn events(request: &Request, visitor: &Visitor, name: &str) -> Result<Response, Refused> {
    let filter = Filter::of(request);
    let [level, invocation, text] = filter.query();
    let query = [("follow", Some("true")), ("limit", Some(LINES)), level, invocation, text];
    let last = request.header("last-event-id").or_else(|| request.query("last"));
    let fields: Vec<(&str, &str)> = last.map(|last| ("last-event-id", last)).into_iter().collect();
    let path = path_with(&["handlers", name, "logs"], &query);
    let answer = visitor.api.stream(Method::GET, &path, &fields, bytes::Bytes::new()).await;
    Ok(passed_on(answer))
}

/// An answer of the API for a script: its status, what it is and its body, and nothing else of it.
pub(super) fn passed_on(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let mut response = http::Response::new(body);
    *response.status_mut() = parts.status;
    for name in [header::CONTENT_TYPE, header::RETRY_AFTER] {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
