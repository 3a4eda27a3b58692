//! `/api/v1/audit`: who changed what.

use std::sync::Arc;

use futures::StreamExt as _;
use rocket::{State, get};
use wasmcloud_wire::Timestamp;
use wasmcloud_wire::body::Audit;

use crate::ApiError;
use crate::app::{App, HeavyRead};
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
    let _place = app.heavy_read(&caller.0.user, HeavyRead::AuditList).await?;
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
    let filter = filter(&query)?;
    let place = app.heavy_read(&caller.0.user, HeavyRead::AuditExport).await?;
    let parts = Arc::clone(&app.core).export_audit(&caller.0, filter, format).await?;
    // The place is free again when the file is written, or its client is gone.
    let parts = parts.inspect(move |_| {
        let _ = &place;
    });
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rocket::http::Method;

    /// Routes that take a body, or begin something, and change nothing that is anybody's.
    const CHANGES_NOTHING: &[(&str, &str)] = &[
        ("/inspect", "looks at a module"),
        ("/handlers/<name>/invoke", "has a receipt"),
        ("/handlers/<name>/invocations/<id>/replay", "runs again what was recorded, and keeps nothing"),
        ("/handlers/<name>/compare", "the same"),
        ("/logins", "nobody is logged in before somebody decides, which is noted"),
        ("/oidc/<provider>/begin", "nobody is logged in before it is finished, which is noted"),
    ];

    /// Every route that changes something, as it stands in the source: its path, and whether it notes what it does.
    fn in_the_source() -> Vec<(String, bool)> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/routes");
        let mut found = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let file = file.unwrap().path();
            // What executors tell is none of a user's changes.
            if file.ends_with("internal.rs") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            for method in ["post", "put", "patch", "delete"] {
                for route in text.split(&format!("\n#[{method}(\"")).skip(1) {
                    let path = route.split(['"', '?']).next().unwrap();
                    let body = route.split("\n}\n").next().unwrap();
                    let words: String = body.split_whitespace().collect();
                    let guards =
                        ["changing.handler(", "changing.new_handler(", "changing.other(", "changing.own("];
                    let notes = guards.iter().chain(&["changing.noted(", "note.begin("]);
                    found.push((path.to_owned(), notes.into_iter().any(|note| words.contains(note))));
                }
            }
        }
        found
    }

    #[test]
    fn every_route_that_changes_something_notes_it() {
        let in_the_source = in_the_source();
        let changing = super::super::api().into_iter().filter(|route| {
            matches!(route.method, Method::Post | Method::Put | Method::Patch | Method::Delete)
        });
        let mut paths: Vec<String> = changing.map(|route| route.uri.path().to_owned()).collect();
        let mut written: Vec<String> = in_the_source.iter().map(|(path, _)| path.clone()).collect();
        paths.sort_unstable();
        written.sort_unstable();
        assert_eq!(written, paths, "the test reads every route that is mounted");

        let silent: BTreeSet<&str> =
            in_the_source.iter().filter(|(_, noted)| !noted).map(|(path, _)| path.as_str()).collect();
        let expected: BTreeSet<&str> = CHANGES_NOTHING.iter().map(|(path, _)| *path).collect();
        assert_eq!(silent, expected);
    }
}
