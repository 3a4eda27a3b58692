//! `docs/ABI.md`, against the numbers and the table that it is made of.

use std::path::Path;

use olin::abi::{self, Error, IMPORTS, MODULES};

#[test]
fn the_page_lists_every_function_as_the_table_has_it() {
    let rows = IMPORTS.iter().map(|import| {
        let types: Vec<String> = import.signatures.iter().map(|signature| format!("`{signature}`")).collect();
        format!("| `{}` | {} | {} |", import.name, types.join(" or "), import.doc)
    });
    assert_table("Functions", rows.collect());
}

#[test]
fn the_page_lists_every_error_with_its_number() {
    let rows = Error::ALL.iter().map(|error| format!("| {} | `{error:?}` | {error} |", error.as_raw()));
    assert_table("Errors", rows.collect());
}

#[test]
fn the_page_lists_daggers_functions() {
    let rows = abi::dagger::FUNCTIONS
        .iter()
        .map(|function| format!("| `{}` | {} | {} |", function.name, function.params, function.doc));
    assert_table("Dagger", rows.collect());
}

#[test]
fn the_page_has_the_abis_names_and_version() {
    let page = page();
    for module in MODULES {
        assert!(page.contains(&format!("`{module}`")), "no import module `{module}`");
    }
    for name in [abi::ENTRY, abi::MEMORY, abi::RUNTIME_NAME] {
        assert!(page.contains(&format!("`{name}`")), "no `{name}`");
    }
    let version = format!("version {}.{}", abi::SPEC_MAJOR, abi::SPEC_MINOR);
    assert!(page.contains(&version), "no {version}");
}

/// Compares the rows of the table below a heading with what they should be.
fn assert_table(heading: &str, expected: Vec<String>) {
    let page = page();
    let section = page.split(&format!("## {heading}\n")).nth(1);
    let section = section.unwrap_or_else(|| panic!("docs/ABI.md has no heading `## {heading}`"));
    let section = section.split("\n## ").next().unwrap();
    // The first two rows are the head.
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert!(
        rows == expected,
        "the table below `## {heading}` in docs/ABI.md is not what the code says; its rows are to be:\n\n{}\n",
        expected.join("\n")
    );
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ABI.md")).unwrap()
}
