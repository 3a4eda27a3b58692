//! Where words go: results to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Failure, Problem};
use crate::text::{one_line, printable};

/// How a text stands out on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Headings.
    Bold,
    /// What is there for completeness.
    Dim,
    /// What failed.
    Red,
    /// What may fail.
    Yellow,
    /// What went well.
    Green,
}

/// The two streams, and what their readers understand.
#[derive(Clone, Debug)]
pub struct Output {
    /// Whether results are JSON.
    pub json: bool,
    /// Whether progress may be drawn on standard error.
    pub progress: bool,
    color_stdout: bool,
    color_stderr: bool,
}

impl Output {
    /// Looks at both streams and at `NO_COLOR` (no-color.org: any value but the empty one).
    pub fn new(json: bool) -> Output {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let plain = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        let stderr = io::stderr().is_terminal();
        Output {
            json,
            progress: stderr && !json && set("TERM").is_none_or(|term| term != "dumb"),
            color_stdout: io::stdout().is_terminal() && !plain,
            color_stderr: stderr && !plain,
        }
    }

    /// A text styled for standard output.
    pub fn styled(&self, style: Style, text: &str) -> String {
        paint(self.color_stdout, style, text)
    }

    /// A text styled for standard error.
    pub fn styled_note(&self, style: Style, text: &str) -> String {
        paint(self.color_stderr, style, text)
    }

    /// Writes a line of the result.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        let mut line = String::with_capacity(text.len() + 1);
        line.push_str(text);
        line.push('\n');
        self.bytes(line.as_bytes())
    }

    /// Writes a part of the result as it stands, at once.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::of_output(&error))
    }

    /// Writes a result as one JSON document on one line, which NDJSON asks for too.
    pub fn document<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| {
            Failure::new(crate::exit::Exit::Failure, "output", format!("cannot write JSON: {error}"), "")
        })?;
        self.line(&text)
    }

    /// Writes a table with aligned columns.
    pub fn table(&self, table: &Table) -> Result<(), Failure> {
        let mut text = String::new();
        for (index, row) in table.lines().into_iter().enumerate() {
            let row = if index == 0 { self.styled(Style::Bold, &row) } else { row };
            text.push_str(&row);
            text.push('\n');
        }
        self.bytes(text.as_bytes())
    }

    /// Tells something that is no result. A closed standard error is not worth failing for.
    pub fn note(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// Tells something that is no result, unless the reader is a program.
    pub fn tell(&self, text: &str) {
        if !self.json {
            self.note(text);
        }
    }

    /// Warns.
    pub fn warn(&self, text: &str) {
        self.note(&format!("{} {}", self.styled_note(Style::Yellow, "warning:"), printable(text)));
    }

    /// Tells what is wrong and what to do next.
    pub fn problem(&self, problem: &Problem) {
        if self.json {
            self.note(&problem.json().to_string());
            return;
        }
        self.note(&format!("{} {}", self.styled_note(Style::Red, "error:"), printable(&problem.message)));
        if !problem.hint.is_empty() {
            self.note(&format!("{} {}", self.styled_note(Style::Bold, "hint:"), printable(&problem.hint)));
        }
        if !problem.request_id.is_empty() {
            let text = format!("request: {}", one_line(&problem.request_id));
            self.note(&self.styled_note(Style::Dim, &text));
        }
    }
}

fn paint(color: bool, style: Style, text: &str) -> String {
    if !color {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Dim => "2",
        Style::Red => "31",
        Style::Yellow => "33",
        Style::Green => "32",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// Blanks between two columns.
const GAP: usize = 2;

impl Table {
    /// A table with these headings and no row yet.
    pub fn new(headings: &[&str]) -> Table {
        Table { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell)).collect());
    }

    /// The rows as lines, the headings first, without blanks at the end.
    fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            for (column, cell) in row.iter().enumerate() {
                let width = cell.chars().count();
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        self.rows.iter().map(|row| line(row, &widths)).collect()
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(&format!("{cell:<width$}"));
        line.push_str(&" ".repeat(GAP));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&["NAME", "LIVE"]);
        table.row(["ace-of-wands".to_owned(), "3".to_owned()]);
        table.row(["käse".to_owned(), "12".to_owned()]);
        assert_eq!(table.lines(), ["NAME          LIVE", "ace-of-wands  3", "käse          12"]);
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        let mut table = Table::new(&["A"]);
        table.row(["x\n\u{1b}[2J".to_owned()]);
        assert_eq!(table.lines(), ["A", "x\\n\\u{1b}[2J"]);
    }

    #[test]
    fn colour_is_only_for_readers_that_understand_it() {
        assert_eq!(paint(false, Style::Red, "x"), "x");
        assert_eq!(paint(true, Style::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
