//! The book's table of contents has every page, and every page of it is there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{markdown, read, report};
use crate::project::files_with_extension;

const SUMMARY: &str = "SUMMARY.md";

/// Checks docs/SUMMARY.md against the pages in docs/.
///
/// # Errors
/// Names each entry without a page and each page without an entry.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let docs = root.join("docs");
    let entries: BTreeSet<PathBuf> = markdown::links(&read(&docs.join(SUMMARY))?)
        .into_iter()
        .map(|link| PathBuf::from(link.target.trim_start_matches("./")))
        .collect();
    let pages: BTreeSet<PathBuf> = files_with_extension(&docs, "md")?
        .iter()
        .filter_map(|page| page.strip_prefix(&docs).ok())
        .filter(|page| *page != Path::new(SUMMARY))
        .map(Path::to_owned)
        .collect();
    let mut problems = Vec::new();
    for entry in entries.difference(&pages) {
        problems.push(format!("docs/{SUMMARY} lists {}, which is not there", entry.display()));
    }
    for page in pages.difference(&entries) {
        problems.push(format!("docs/{} is not listed in docs/{SUMMARY}", page.display()));
    }
    report(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(summary: &str) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("docs/guides")).unwrap();
        std::fs::write(root.path().join("docs/SUMMARY.md"), summary).unwrap();
        std::fs::write(root.path().join("docs/START.md"), "").unwrap();
        std::fs::write(root.path().join("docs/guides/logs.md"), "").unwrap();
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_summary_of_all_pages_passes() {
        assert_eq!(with("# Summary\n- [Start](START.md)\n  - [Logs](./guides/logs.md)\n"), Ok(()));
    }

    #[test]
    fn entries_without_a_page_and_pages_without_an_entry_are_named() {
        let error = with("- [Start](START.md)\n- [Gone](gone.md)\n").unwrap_err();
        assert_eq!(
            error,
            "2 found\n  docs/SUMMARY.md lists gone.md, which is not there\n  \
             docs/guides/logs.md is not listed in docs/SUMMARY.md"
        );
    }
}
