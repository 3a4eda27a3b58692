//! `wasmcloud audit`

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use wasmcloud_wire::body::AuditEntry;

use crate::client::{AuditQuery, Client};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table};
use crate::session::Session;
use crate::since::Since;
use crate::text::{one_line, time};

/// Most entries that a server gives at once.
const PAGE_MAX: u32 = 1_000;

/// The arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only from this time on: 30s, 10m, 2h or 7d ago, or 2026-11-21T08:09:10Z
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// Only what this user did; `-` for who was not known, and for what the server did by itself
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    actor: Option<String>,
    /// Only this action, such as handler.promote, or all that begin with it, such as handler
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done to this handler, host, user or team
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// The newest so many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 50)]
    count: u32,
    /// Write all entries to a file instead, oldest first: as CSV if its name ends in .csv, else one JSON text a line
    #[arg(long, value_name = "FILE", conflicts_with = "count")]
    export: Option<PathBuf>,
}

/// Lists who changed what, newest first: operators see everything, others what concerns them.
pub async fn run(session: &Session, args: &Args) -> Result<(), Failure> {
    let client = session.client()?;
    let query = AuditQuery {
        since: args.since,
        actor: args.actor.clone(),
        action: args.action.clone(),
        subject: args.subject.clone(),
    };
    if let Some(file) = &args.export {
        return export(&session.output, &client, &query, file).await;
    }
    let entries = newest(&client, &query, args.count).await?;
    if session.output.json {
        return session.output.document(&entries);
    }
    if entries.is_empty() {
        session.output.note("no entries");
        return Ok(());
    }
    session.output.table(&table(&entries))
}

async fn newest(client: &Client, query: &AuditQuery, count: u32) -> Result<Vec<AuditEntry>, Failure> {
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut before = None;
    loop {
        let left = count.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        if left == 0 {
            return Ok(entries);
        }
        let page = client.audit(query, before, left.min(PAGE_MAX)).await?;
        entries.extend(page.entries);
        before = page.next_before;
        if before.is_none() {
            return Ok(entries);
        }
    }
}

fn table(entries: &[AuditEntry]) -> Table {
    let mut table = Table::new(&["WHEN", "WHO", "BY", "ACTION", "TO", "STATUS", "FROM", "MORE"]);
    for entry in entries {
        let detail = serde_json::Value::Object(entry.detail.clone()).to_string();
        table.row([
            time(entry.at),
            entry.actor.clone(),
            entry.via.clone(),
            entry.action.clone(),
            one_line(&entry.subject),
            entry.status.map_or_else(|| "no end".to_owned(), |status| status.to_string()),
            entry.peer.clone(),
            if entry.detail.is_empty() { String::new() } else { one_line(&detail) },
        ]);
    }
    table
}

/// Writes beside the file first, so that a part is never taken for the whole.
async fn export(output: &Output, client: &Client, query: &AuditQuery, file: &Path) -> Result<(), Failure> {
    let is_csv = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let (format, end): (_, &[u8]) = if is_csv { ("csv", b"\r\n") } else { ("ndjson", b"\n") };
    let not_written = |why: &str| {
        let message = format!("cannot write {}: {why}", file.display());
        Failure::new(Exit::Failure, "file", message, "name another file")
    };
    let is_there = "it is there already, and nothing is overwritten";
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => not_written(is_there),
        _ => not_written(&error.to_string()),
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(not_written(&format!("there is no folder {}", folder.display())));
    }
    if file.symlink_metadata().is_ok() {
        return Err(not_written(is_there));
    }
    let mut lines = client.export_audit(query, format).await?;
    let part = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut writer = BufWriter::new(part);
    let mut count = 0_usize;
    while let Some(line) = lines.next().await? {
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        writer.write_all(line).and_then(|()| writer.write_all(end)).map_err(failed)?;
        count += 1;
    }
    let part = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    part.persist_noclobber(file).map_err(|error| failed(error.error))?;
    // The first line of CSV says what the columns are.
    let count = count.saturating_sub(usize::from(is_csv));
    output.note(&format!("{count} entries are in {}", file.display()));
    Ok(())
}
