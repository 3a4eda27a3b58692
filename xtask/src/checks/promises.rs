//! Every promise of docs/PROMISES.md names tests, and they exist.

use std::path::Path;

use super::{read, report};

const PAGE: &str = "docs/PROMISES.md";

/// Checks that the last cell of every row names a file and then tests in it: `` `a/tests/it/b.rs` `one`, `two` ``.
///
/// # Errors
/// Names each row without a test, and each test that is not in its file.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let page = read(&root.join(PAGE))?;
    let mut problems = Vec::new();
    let mut rows = 0;
    for (index, line) in page.lines().enumerate() {
        let Some(cell) = tests_cell(line) else { continue };
        rows += 1;
        let found = problems_of(root, cell);
        problems.extend(found.into_iter().map(|problem| format!("{PAGE}:{}: {problem}", index + 1)));
    }
    if rows == 0 {
        problems.push(format!("{PAGE} has no promises"));
    }
    report(problems)
}

/// The last cell of a row that is no head: what stands in it between backticks are files and tests.
fn tests_cell(line: &str) -> Option<&str> {
    let row = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let (_, cell) = row.rsplit_once('|')?;
    let is_head = cell.trim() == "tests" || cell.chars().all(|c| c == '-');
    (!is_head).then_some(cell)
}

/// Whether a file makes a test of this story in a browser: `browser_stories!["FILE.mjs": NAME, …]`.
fn plays(text: &str, name: &str) -> bool {
    let lists = text.split("browser_stories![").skip(1).filter_map(|rest| rest.split(']').next());
    lists.flat_map(|list| list.split([',', ':'])).any(|story| story.trim() == name)
}

fn problems_of(root: &Path, cell: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut file: Option<(&str, String)> = None;
    let mut tests = 0;
    // Every second part stands between backticks.
    for name in cell.split('`').skip(1).step_by(2) {
        if name.ends_with(".rs") {
            file = std::fs::read_to_string(root.join(name)).ok().map(|text| (name, text));
            if file.is_none() {
                problems.push(format!("there is no file `{name}`"));
            }
            continue;
        }
        tests += 1;
        if let Some((path, text)) = &file
            && !text.contains(&format!("fn {name}("))
            && !plays(text, name)
        {
            problems.push(format!("there is no test `{name}` in {path}"));
        }
    }
    if tests == 0 || !cell.contains(".rs`") {
        problems.push("a promise needs a file and the name of a test in it".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cell: &str) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("a.rs"), "#[test]\nfn it_holds() {}\nfn so_does_this(x: X) {}")
            .unwrap();
        let stories = "browser_stories![\"b.mjs\": it_is_seen, so_is_this];";
        std::fs::write(root.path().join("b.rs"), stories).unwrap();
        let page = format!("# Promises\n\n| promise | tests |\n|---|---|\n| It `holds`. | {cell} |\n");
        std::fs::write(root.path().join(PAGE), page).unwrap();
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_promise_may_be_kept_by_a_story_in_a_browser() {
        assert_eq!(with("`b.rs` `it_is_seen`, `so_is_this`"), Ok(()));
        assert!(with("`b.rs` `it_is`").is_err());
    }

    #[test]
    fn promises_whose_tests_exist_pass() {
        assert_eq!(with("`a.rs` `it_holds`, `so_does_this`"), Ok(()));
    }

    #[test]
    fn a_test_or_a_file_that_is_not_there_is_named_with_its_line() {
        let error = with("`a.rs` `it_hold`; `c.rs` `it_holds`").unwrap_err();
        assert_eq!(
            error,
            "2 found\n  docs/PROMISES.md:5: there is no test `it_hold` in a.rs\n  \
             docs/PROMISES.md:5: there is no file `c.rs`"
        );
    }

    #[test]
    fn a_promise_without_a_test_is_none() {
        assert!(with("we shall see").unwrap_err().contains("needs a file"));
        assert!(with("`a.rs`").unwrap_err().contains("needs a file"));
    }
}
