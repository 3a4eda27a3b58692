//! Whether rows are such as the API writes. Whoever made a file knows its passphrase, and may be somebody else than who
//! imports it: what would make a server fail, or do endless work, is refused before it is written.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use wasmcloud_policy as policy;
use wasmcloud_wire::body::{Role, RolledBack, Scope};
use wasmcloud_wire::limits::UPLOAD_BYTES_MAX;
use wasmcloud_wire::{
    Abi, HandlerName, HostName, Inspection, Limits, Policy, RecordingPolicy, UserName, route_path,
};

use crate::auth::check_hash;
use crate::core::plan_name;
use crate::store::{Cell, Row, Table};

/// How much of a reason is told, in characters: it may repeat what is in the file.
const REASON_CHARS_MAX: usize = 300;

/// What is wrong with a row, if anything is: in characters that can be shown, whatever is in it.
pub fn check(table: &Table, row: &Row) -> Result<(), String> {
    let fields = Fields { table, row };
    let checked = match table.name {
        "plans" => plan(&fields),
        "users" => user(&fields),
        "members" | "offers" => fields.parsed::<Role>("role").map(drop),
        "tokens" => token(&fields),
        "modules" => module(&fields),
        "handlers" => handler(&fields),
        "versions" => fields.version("number").map(drop),
        "hosts" => host(&fields, "name"),
        "routes" => route(&fields),
        _ => Ok(()),
    };
    checked.map_err(|what| shown(&what))
}

fn plan(row: &Fields<'_>) -> Result<(), String> {
    plan_name(row.text("name")?).map_err(|error| error.message.clone())?;
    for column in [
        "handlers_max",
        "storage_bytes_max",
        "invocations_per_minute_max",
        "concurrent_max",
        "cpu_ms_per_day_max",
    ] {
        if let Some(number) = row.int(column)?.filter(|number| *number < 0) {
            return Err(format!("{column} is {number}"));
        }
    }
    Ok(())
}

/// Teams, and whoever only signs in elsewhere, have no password: nothing hashes to an empty text.
fn user(row: &Fields<'_>) -> Result<(), String> {
    let name: UserName = row.parsed("name")?;
    match row.text("password_hash")? {
        "" => Ok(()),
        hash => check_hash(hash).map_err(|error| format!("the user {name}: {error}")),
    }
}

/// A token whose rights cannot be read is nobody's: everything that it is shown with would fail.
fn token(row: &Fields<'_>) -> Result<(), String> {
    for scope in row.text("scopes")?.split(' ') {
        scope.parse::<Scope>().map_err(|error| format!("scopes: {error}"))?;
    }
    row.maybe_json::<Vec<HandlerName>>("handlers").map(drop)
}

fn module(row: &Fields<'_>) -> Result<(), String> {
    let abi: Abi = row.parsed("abi")?;
    let inspection: Inspection = row.json("inspection")?;
    if inspection.abi != abi {
        return Err(format!("abi is {abi}, and its inspection says {}", inspection.abi));
    }
    let size = row.int("size_bytes")?.unwrap_or_default();
    match usize::try_from(size) {
        Ok(size) if size <= UPLOAD_BYTES_MAX => Ok(()),
        _ => Err(format!("size_bytes is {size}, and a module has at most {UPLOAD_BYTES_MAX}")),
    }
}

fn handler(row: &Fields<'_>) -> Result<(), String> {
    let name: HandlerName = row.parsed("name")?;
    handler_itself(row).map_err(|what| format!("the handler {name}: {what}"))
}

fn handler_itself(row: &Fields<'_>) -> Result<(), String> {
    let settings: Policy = row.json("policy")?;
    // The highest ceilings that any server can be given.
    let ceiling = Limits { gas: u64::MAX, ..Limits::ceiling() };
    policy::check(&settings, &ceiling).map_err(|error| format!("policy: {error}"))?;
    row.maybe_json::<RolledBack>("rolled_back")?;
    row.maybe_json::<RecordingPolicy>("recording")?;
    let last = row.version("last_version")?.ok_or("last_version is missing")?;
    for column in ["live_version", "previous_version", "split_version"] {
        if let Some(version) = row.version(column)?.filter(|&version| version > last) {
            return Err(format!("{column} is {version}, and the last version is {last}"));
        }
    }
    Ok(())
}

fn host(row: &Fields<'_>, column: &str) -> Result<(), String> {
    let name: HostName = row.parsed(column)?;
    match row.text(column)? {
        text if text == name.as_str() => Ok(()),
        text => Err(format!("{column}: `{text}` is written `{name}`")),
    }
}

fn route(row: &Fields<'_>) -> Result<(), String> {
    host(row, "host")?;
    let text = row.text("path")?;
    match route_path(text).map_err(|error| format!("path: {error}"))? {
        path if path == text => Ok(()),
        path => Err(format!("path: `{text}` is written `{path}`")),
    }
}

/// A row's columns by name.
struct Fields<'a> {
    table: &'a Table,
    row: &'a Row,
}

impl<'a> Fields<'a> {
    fn cell(&self, column: &str) -> Result<&'a Cell, String> {
        let cell = self.table.place(column).and_then(|place| self.row.get(place));
        cell.ok_or_else(|| format!("it has no {column}"))
    }

    fn maybe_text(&self, column: &str) -> Result<Option<&'a str>, String> {
        match self.cell(column)? {
            Cell::Text(text) => Ok(text.as_deref()),
            _ => Err(format!("{column} is no text")),
        }
    }

    fn text(&self, column: &str) -> Result<&'a str, String> {
        self.maybe_text(column)?.ok_or_else(|| format!("{column} is missing"))
    }

    fn int(&self, column: &str) -> Result<Option<i64>, String> {
        match self.cell(column)? {
            Cell::Int(number) => Ok(*number),
            _ => Err(format!("{column} is no number")),
        }
    }

    /// A version's number, which is 1 or more.
    fn version(&self, column: &str) -> Result<Option<u32>, String> {
        let Some(number) = self.int(column)? else { return Ok(None) };
        let version = u32::try_from(number).ok().filter(|&number| number > 0);
        version.map(Some).ok_or_else(|| format!("{column}: {number} is no version's number"))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, String> {
        self.text(column)?.parse().map_err(|error| format!("{column}: {error}"))
    }

    fn maybe_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, String> {
        let read = self.maybe_text(column)?.map(serde_json::from_str).transpose();
        read.map_err(|error| format!("{column}: {error}"))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, String> {
        self.maybe_json(column)?.ok_or_else(|| format!("{column} is missing"))
    }
}

/// A text without characters that a terminal would obey, and not too long.
fn shown(text: &str) -> String {
    let plain = |character: char| match character.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => character,
    };
    text.chars().take(REASON_CHARS_MAX).map(plain).collect()
}
