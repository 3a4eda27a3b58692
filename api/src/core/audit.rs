//! The audit log: who changed what.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, stream};
use serde_json::Value;
use wasmcloud_wire::body::{Audit, AuditEntry};
use wasmcloud_wire::{Timestamp, UserId, UserName};

use super::{Core, DAY_MS};
use crate::ApiError;
use crate::auth::Caller;
use crate::store::{AuditDropped, AuditMore, AuditPage, AuditScope, NewAuditRow, StoreError};

/// Entries that are read at once.
const PAGE: u32 = 500;
/// Entries that one list looks at: whoever wants to look further asks again, from where it ended.
const LOOKED_AT_MAX: u32 = 10_000;
/// Bytes of the entries of one list, as JSON; the first is listed however long it is.
const LIST_BYTES_MAX: usize = 1 << 20;
/// The first line of a file in CSV.
const CSV_HEADINGS: &str = "position,at,actor,via,action,subject,detail,peer,request_id,status\r\n";

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub before: Option<i64>,
    pub actor: Option<String>,
    /// An action, or what it begins with up to a dot.
    pub action: Option<String>,
    pub subject: Option<String>,
}

/// How entries are written to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuditFormat {
    /// One JSON text a line.
    Ndjson,
    /// Values with commas between them (RFC 4180).
    Csv,
}

impl AuditFilter {
    fn wants(&self, entry: &AuditEntry) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        let begins = |wanted: &String| {
            entry
                .action
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        is(&self.actor, &entry.actor)
            && is(&self.subject, &entry.subject)
            && self.action.as_ref().is_none_or(begins)
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }
}

/// Operators see everything.
fn scope(caller: &Caller) -> AuditScope {
    if caller.user.is_admin { AuditScope::All } else { AuditScope::Of(caller.user.id) }
}

/// By whose name an entry has to be for its reader to see from where, and by what, it was done; operators see it of all.
fn only_of(caller: &Caller) -> Option<UserName> {
    (!caller.user.is_admin).then(|| caller.user.name.clone())
}

/// An entry as its reader may see it: where others were, and what they are known by, is theirs.
fn shown(mut entry: AuditEntry, only_of: Option<&UserName>) -> AuditEntry {
    if only_of.is_some_and(|name| name.as_str() != entry.actor) {
        entry.peer = "-".to_owned();
        entry.via.truncate(entry.via.find(' ').unwrap_or(entry.via.len()));
    }
    entry
}

impl Core {
    /// Notes what came of a change. What cannot be noted stays without a status: the change itself is done.
    pub async fn finish_audit(&self, position: i64, status: u16) {
        self.finish_noted(position, status, &AuditMore::default()).await;
    }

    /// Notes what came of a change, and what else is known by then.
    pub(crate) async fn finish_noted(&self, position: i64, status: u16, more: &AuditMore) {
        if let Err(error) = self.store.finish_audit(position, status, more).await {
            tracing::warn!(%error, position, status, "cannot note in the audit log what came of a change");
        }
    }

    /// Notes what the platform is about to do by itself; the answer is for [`Core::finish_audit`].
    ///
    /// # Errors
    ///
    /// The store failed; then it is not to be done.
    pub async fn note_by_server(
        &self,
        action: &str,
        subject: &str,
        account: Option<UserId>,
        detail: &Value,
    ) -> Result<i64, ApiError> {
        Ok(self.store.begin_audit(&NewAuditRow::by_server(action, subject, account, detail)).await?)
    }

    /// The newest entries that are wanted, newest first, and where to go on.
    pub(crate) async fn audit(
        &self,
        caller: &Caller,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Audit, ApiError> {
        let Some((from, mut before)) = self.audit_range(filter).await? else {
            return Ok(Audit { entries: Vec::new(), next_before: None });
        };
        before = before.min(filter.before.unwrap_or(i64::MAX));
        let mut entries = Vec::new();
        let (mut looked_at, mut bytes) = (0, 0);
        let only_of = only_of(caller);
        while looked_at < LOOKED_AT_MAX {
            let page = AuditPage { from, before, newest_first: true, limit: PAGE };
            let read = self.store.audit_page(scope(caller), page).await?;
            let Some(last) = read.last() else { return Ok(Audit { entries, next_before: None }) };
            before = last.position;
            looked_at += PAGE;
            let is_last = read.len() < PAGE as usize;
            let wanted = read.into_iter().filter(|entry| filter.wants(entry));
            for entry in wanted.map(|entry| shown(entry, only_of.as_ref())) {
                bytes += serde_json::to_vec(&entry).map_err(ApiError::internal)?.len();
                if entries.len() >= limit as usize || (bytes > LIST_BYTES_MAX && !entries.is_empty()) {
                    let next_before = entries.last().map(|last: &AuditEntry| last.position);
                    return Ok(Audit { entries, next_before });
                }
                entries.push(entry);
            }
            if is_last {
                return Ok(Audit { entries, next_before: None });
            }
        }
        Ok(Audit { entries, next_before: Some(before) })
    }

    /// Entries up to now, oldest first, as they are written to a file; no more than a page is in memory. Ends in an
    /// error if the store fails.
    pub(crate) async fn export_audit(
        self: Arc<Core>,
        caller: &Caller,
        filter: AuditFilter,
        format: AuditFormat,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>, ApiError> {
        let (scope, only_of) = (scope(caller), only_of(caller));
        let range = self.audit_range(&filter).await?;
        // What comes while it is written is not waited for.
        let newest = AuditPage { from: 0, before: i64::MAX, newest_first: true, limit: 1 };
        let newest = self.store.audit_page(AuditScope::All, newest).await?;
        let end = newest.first().map_or(0, |newest| newest.position + 1);
        let (from, before) = range.map_or((0, 0), |(from, before)| (from, before.min(end)));
        let head = match format {
            AuditFormat::Ndjson => Bytes::new(),
            AuditFormat::Csv => Bytes::from_static(CSV_HEADINGS.as_bytes()),
        };
        let parts = stream::try_unfold(Some(from), move |from| {
            let (core, filter, only_of) = (Arc::clone(&self), filter.clone(), only_of.clone());
            async move {
                let Some(from) = from else { return Ok(None) };
                let page = AuditPage { from, before, newest_first: false, limit: PAGE };
                let entries = core.store.audit_page(scope, page).await.map_err(|error| {
                    tracing::warn!(%error, "an export of the audit log ends early");
                    std::io::Error::other(error)
                })?;
                let is_last = entries.len() < PAGE as usize;
                let next = entries.last().map(|last| last.position + 1).filter(|_| !is_last);
                let mut text = String::new();
                for entry in entries.into_iter().filter(|entry| filter.wants(entry)) {
                    push_entry(&mut text, &shown(entry, only_of.as_ref()), format)
                        .map_err(std::io::Error::other)?;
                }
                Ok(Some((Bytes::from(text), next)))
            }
        });
        let parts = futures::StreamExt::chain(stream::iter([Ok(head)]), parts);
        // An empty part would be taken for the end.
        Ok(futures::StreamExt::filter(parts, |part| {
            std::future::ready(part.as_ref().map_or(true, |part| !part.is_empty()))
        }))
    }

    /// The positions of the time that is asked for: from the first to before the last. `None` if that is nothing.
    async fn audit_range(&self, filter: &AuditFilter) -> Result<Option<(i64, i64)>, StoreError> {
        let from = match filter.since {
            None => Some(0),
            Some(since) => self.store.audit_position(since).await?,
        };
        let before = match filter.until {
            None => None,
            Some(until) => self.store.audit_position(until).await?,
        };
        Ok(from.map(|from| (from, before.unwrap_or(i64::MAX))))
    }

    /// Drops entries that are older than the operator keeps them, or more.
    pub(super) async fn prune_audit(&self, now: Timestamp) {
        let before = Timestamp(now.0 - i64::from(self.config.audit_days) * DAY_MS);
        let rows_max = self.config.audit_rows_max;
        match self.store.prune_audit(before, rows_max).await {
            Ok(AuditDropped { old, too_many }) => {
                if old > 0 {
                    tracing::info!(rows = old, "dropped old entries of the audit log");
                }
                if too_many > 0 {
                    tracing::warn!(
                        rows = too_many,
                        rows_max,
                        "dropped the oldest entries of the audit log before their time: there were too many"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "cannot drop old entries of the audit log"),
        }
    }
}

fn push_entry(text: &mut String, entry: &AuditEntry, format: AuditFormat) -> serde_json::Result<()> {
    match format {
        AuditFormat::Ndjson => {
            text.push_str(&serde_json::to_string(entry)?);
            text.push('\n');
        }
        AuditFormat::Csv => {
            let cells = [
                entry.position.to_string(),
                entry.at.rfc3339(),
                entry.actor.clone(),
                entry.via.clone(),
                entry.action.clone(),
                entry.subject.clone(),
                serde_json::to_string(&entry.detail)?,
                entry.peer.clone(),
                entry.request_id.to_string(),
                entry.status.map_or_else(String::new, |status| status.to_string()),
            ];
            text.push_str(&cells.each_ref().map(|cell| csv_cell(cell)).join(","));
            text.push_str("\r\n");
        }
    }
    Ok(())
}

/// A cell in quotation marks. What a spreadsheet would take for a formula gets an apostrophe before it.
fn csv_cell(value: &str) -> String {
    let is_formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && value != "-";
    let apostrophe = if is_formula { "'" } else { "" };
    format!("\"{apostrophe}{}\"", value.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_keeps_its_quotation_marks() {
        assert_eq!(csv_cell("hello, world"), "\"hello, world\"");
        assert_eq!(csv_cell("{\"a\":1}"), "\"{\"\"a\"\":1}\"");
        assert_eq!(csv_cell("=HYPERLINK(\"http://192.0.2.1\")"), "\"'=HYPERLINK(\"\"http://192.0.2.1\"\")\"");
        for formula in ["+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(csv_cell(formula), format!("\"'{formula}\""));
        }
        assert_eq!((csv_cell("-"), csv_cell("")), ("\"-\"".to_owned(), "\"\"".to_owned()));
    }
}
