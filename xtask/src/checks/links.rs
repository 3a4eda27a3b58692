//! Every internal link of README and docs leads somewhere.

use std::path::{Path, PathBuf};

use super::{markdown, read, report};
use crate::project::files_with_extension;

/// Checks the links of README.md, of docs/ and of examples/: the file is there, and the heading in it.
///
/// # Errors
/// Names each link that leads nowhere.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "examples"] {
        pages.extend(files_with_extension(&root.join(folder), "md")?);
    }
    let mut problems = Vec::new();
    for page in pages {
        let text = read(&page)?;
        for link in markdown::links(&text) {
            if let Some(problem) = problem(root, &page, &link.target)? {
                let shown = page.strip_prefix(root).unwrap_or(&page).display();
                problems.push(format!("{shown}:{}: `{}`: {problem}", link.line, link.target));
            }
        }
    }
    report(problems)
}

/// What is wrong with a link; `None` for a good one, and for one that leads out of the project.
fn problem(root: &Path, page: &Path, target: &str) -> anyhow::Result<Option<String>> {
    let external = target.contains("://") || target.starts_with("mailto:");
    if external {
        return Ok(None);
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    if path.starts_with('/') {
        return Ok(Some("write it relative to the page".to_owned()));
    }
    let file = match path {
        "" => page.to_owned(),
        path => page.parent().unwrap_or(root).join(path),
    };
    if !file.exists() {
        return Ok(Some("there is no such file".to_owned()));
    }
    if !is_inside(root, &file) {
        return Ok(Some("it leads out of the project".to_owned()));
    }
    let is_page = file.extension().is_some_and(|extension| extension == "md");
    if !anchor.is_empty() && is_page && !markdown::anchors(&read(&file)?).iter().any(|found| found == anchor)
    {
        return Ok(Some(format!("there is no heading `#{anchor}`")));
    }
    Ok(None)
}

fn is_inside(root: &Path, file: &Path) -> bool {
    let real = |path: &Path| -> Option<PathBuf> { path.canonicalize().ok() };
    real(file).zip(real(root)).is_some_and(|(file, root)| file.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(readme: &str, guide: &str) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("docs")).unwrap();
        std::fs::write(root.path().join("README.md"), readme).unwrap();
        std::fs::write(root.path().join("docs/GUIDE.md"), guide).unwrap();
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn good_links_pass() {
        let readme = "# Top\n[guide](docs/GUIDE.md#first-steps) [top](#top) [out](https://example.com/x)";
        assert_eq!(with(readme, "# First steps\n[back](../README.md) [folder](.)"), Ok(()));
    }

    #[test]
    fn a_missing_file_is_named_with_its_line() {
        let error = with("one\n[guide](docs/GIUDE.md)", "").unwrap_err();
        assert_eq!(error, "1 found\n  README.md:2: `docs/GIUDE.md`: there is no such file");
    }

    #[test]
    fn a_missing_heading_is_named() {
        let error = with("[guide](docs/GUIDE.md#second)", "# First").unwrap_err();
        assert!(error.ends_with("there is no heading `#second`"), "{error}");
    }

    #[test]
    fn absolute_links_and_links_out_of_the_project_are_refused() {
        assert!(with("[a](/docs/GUIDE.md)", "").unwrap_err().contains("relative to the page"));
        assert!(with("[a](..)", "").unwrap_err().contains("out of the project"));
    }

    #[test]
    fn a_project_without_a_readme_is_told_so() {
        let root = tempfile::tempdir().unwrap();
        assert!(run(root.path()).unwrap_err().to_string().contains("README.md"));
    }
}
