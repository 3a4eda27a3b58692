//! Rows as JSON lines, an object a row.

use serde_json::{Map, Value};

use crate::store::{Cell, Column, Kind, Row, Table};

/// Longest text of rows that is sealed as one part, in bytes, as long as it is more than one row.
const PART_BYTES_MAX: usize = 4 << 20;

/// Rows as texts of JSON lines, none much longer than [`PART_BYTES_MAX`].
pub fn to_parts(table: &Table, rows: &[Row]) -> Vec<String> {
    let mut parts = Vec::new();
    let mut part = String::new();
    for row in rows {
        let object: Map<String, Value> = table
            .columns
            .iter()
            .zip(row)
            .map(|(column, cell)| (column.name.to_owned(), to_json(cell)))
            .collect();
        let line = Value::Object(object).to_string();
        if !part.is_empty() && part.len() + line.len() > PART_BYTES_MAX {
            parts.push(std::mem::take(&mut part));
        }
        part.push_str(&line);
        part.push('\n');
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// Rows of JSON lines; nothing if one of them is not of this table.
pub fn of_part(table: &Table, text: &[u8]) -> Option<Vec<Row>> {
    std::str::from_utf8(text).ok()?.lines().map(|line| of_line(table, line)).collect()
}

fn of_line(table: &Table, line: &str) -> Option<Row> {
    let mut object: Map<String, Value> = serde_json::from_str(line).ok()?;
    let row = table
        .columns
        .iter()
        .map(|column| of_json(column, object.remove(column.name)?))
        .collect::<Option<Row>>()?;
    object.is_empty().then_some(row)
}

fn to_json(cell: &Cell) -> Value {
    match cell {
        Cell::Int(number) => (*number).into(),
        Cell::Text(text) => text.clone().into(),
        Cell::Uuid(id) => id.map(|id| id.to_string()).into(),
        Cell::Flag(flag) => (*flag).into(),
        Cell::Bytes(bytes) => hex::encode(bytes).into(),
    }
}

fn of_json(column: &Column, value: Value) -> Option<Cell> {
    Some(match (column.kind, value) {
        (Kind::Int | Kind::MaybeInt, Value::Number(number)) => Cell::Int(Some(number.as_i64()?)),
        (Kind::MaybeInt, Value::Null) => Cell::Int(None),
        (Kind::Text | Kind::MaybeText, Value::String(text)) => Cell::Text(Some(text)),
        (Kind::MaybeText, Value::Null) => Cell::Text(None),
        (Kind::Uuid | Kind::MaybeUuid, Value::String(text)) => Cell::Uuid(Some(text.parse().ok()?)),
        (Kind::MaybeUuid, Value::Null) => Cell::Uuid(None),
        (Kind::Flag, Value::Bool(flag)) => Cell::Flag(flag),
        (Kind::Bytes, Value::String(text)) => Cell::Bytes(hex::decode(text).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::TABLES;

    fn cell(kind: Kind, full: bool) -> Cell {
        match kind {
            Kind::Int => Cell::Int(Some(i64::MIN)),
            Kind::MaybeInt => Cell::Int(full.then_some(i64::MAX)),
            Kind::Text => Cell::Text(Some("k\u{e4}se\n\"\u{2028}".to_owned())),
            Kind::MaybeText => Cell::Text(full.then(String::new)),
            Kind::Uuid => Cell::Uuid(Some(Uuid::now_v7())),
            Kind::MaybeUuid => Cell::Uuid(full.then(Uuid::now_v7)),
            Kind::Flag => Cell::Flag(full),
            Kind::Bytes => Cell::Bytes(vec![0, 255, 10]),
        }
    }

    #[test]
    fn rows_of_every_table_are_read_back_as_they_were() {
        for table in TABLES {
            let row = |full| table.columns.iter().map(|column| cell(column.kind, full)).collect::<Row>();
            let rows = vec![row(true), row(false)];
            let parts = to_parts(table, &rows);
            assert_eq!(parts.len(), 1);
            assert!(of_part(table, parts[0].as_bytes()) == Some(rows), "{}: {parts:?}", table.name);
        }
    }

    #[test]
    fn long_rows_make_several_parts() {
        let table = TABLES.iter().find(|table| table.name == "modules").unwrap();
        let long = |_| {
            let cell = |column: &Column| match column.kind {
                Kind::Text => Cell::Text(Some("x".repeat(PART_BYTES_MAX / 3))),
                kind => cell(kind, true),
            };
            table.columns.iter().map(cell).collect::<Row>()
        };
        let rows: Vec<Row> = (0..4).map(long).collect();
        let parts = to_parts(table, &rows);
        assert_eq!(parts.len(), 4, "two of a third each are in every row");
        let read: Vec<Row> = parts.iter().flat_map(|part| of_part(table, part.as_bytes()).unwrap()).collect();
        assert!(read == rows);
    }

    #[test]
    fn lines_of_other_tables_and_no_lines_are_no_rows() {
        let table = TABLES.iter().find(|table| table.name == "routes").unwrap();
        let row: Row = table.columns.iter().map(|column| cell(column.kind, true)).collect();
        let line = to_parts(table, &[row]).remove(0);
        let mut object: Map<String, Value> = serde_json::from_str(&line).unwrap();
        object.insert("more".to_owned(), Value::Null);
        let more = Value::Object(object.clone()).to_string();
        object.remove("more");
        object.insert("strip_prefix".to_owned(), Value::from(1));
        let other_kind = Value::Object(object.clone()).to_string();
        object.remove("strip_prefix");
        let less = Value::Object(object).to_string();
        for text in ["{}", "[]", "", "\n", &more, &other_kind, &less, &line[1..]] {
            assert!(of_part(table, text.as_bytes()).is_none_or(|rows| rows.is_empty()), "{text}");
        }
        assert!(of_part(table, &[0xff]).is_none());
    }
}
