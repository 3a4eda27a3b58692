//! Every dependency is used.

use std::path::Path;

use anyhow::Context as _;

use super::{read, read_toml, report};
use crate::project::files_with_extension;

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// Checks that each crate's sources name each of its dependencies, and that some crate uses each of the
/// workspace's. A dependency that is there for its features only is listed under
/// `[package.metadata.unused]` with its reason: `name = "reason"`.
///
/// # Errors
/// Names each that is unused.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let manifest = read_toml(&root.join("Cargo.toml"))?;
    let workspace = manifest.get("workspace").context("Cargo.toml has no [workspace]")?;
    let members = workspace.get("members").and_then(|members| members.as_array());
    let mut problems = Vec::new();
    let mut used = Vec::new();
    for member in members.into_iter().flatten().filter_map(|member| member.as_str()) {
        let folder = root.join(member);
        let manifest = read_toml(&folder.join("Cargo.toml"))?;
        let names = dependencies(&manifest);
        for name in unused(&folder, &manifest, &names)? {
            problems.push(format!("{member}/Cargo.toml: `{name}` is not used in its sources"));
        }
        used.extend(names);
    }
    let shared = workspace.get("dependencies").and_then(|table| table.as_table());
    for name in shared.into_iter().flat_map(|table| table.keys()) {
        if !used.contains(name) {
            problems.push(format!("Cargo.toml: no crate depends on `{name}`"));
        }
    }
    report(problems)
}

/// The names in every section of a manifest, those for one platform included.
fn dependencies(manifest: &toml::Table) -> Vec<String> {
    let platforms = manifest.get("target").and_then(|target| target.as_table());
    let platforms =
        platforms.into_iter().flat_map(|target| target.values()).filter_map(|table| table.as_table());
    let tables = std::iter::once(manifest).chain(platforms);
    let sections =
        tables.flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table()));
    sections.flat_map(|section| section.keys().cloned()).collect()
}

fn unused(folder: &Path, manifest: &toml::Table, names: &[String]) -> anyhow::Result<Vec<String>> {
    let mut sources = String::new();
    for path in files_with_extension(folder, "rs")? {
        sources += &read(&path)?;
        sources.push('\n');
    }
    let excused = |name: &str| {
        let metadata = manifest.get("package").and_then(|package| package.get("metadata"));
        metadata.and_then(|metadata| metadata.get("unused")?.get(name)).is_some()
    };
    let unused = names.iter().filter(|name| !excused(name) && !mentions(&sources, &name.replace('-', "_")));
    Ok(unused.cloned().collect())
}

/// Whether code names the crate: `krate::…`, `use krate`, `extern crate krate`. Comments do not count.
fn mentions(sources: &str, krate: &str) -> bool {
    let code = sources.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| {
        line.match_indices(krate).any(|(at, _)| {
            let (before, after) =
                (line.get(..at).unwrap_or_default(), line.get(at + krate.len()..).unwrap_or_default());
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word);
            // `self::log::…` is a module of the crate's own; a leading `::log::…` is a crate.
            let own = before.ends_with("::") && before.trim_end_matches("::").ends_with(is_word);
            let imported = before.ends_with("use ") || before.ends_with("extern crate ");
            whole && !own && (after.starts_with("::") || imported)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(member: &str, source: &str) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/src")).unwrap();
        let workspace = "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nserde = \"1\"\n";
        std::fs::write(root.path().join("Cargo.toml"), workspace).unwrap();
        std::fs::write(root.path().join("a/Cargo.toml"), member).unwrap();
        std::fs::write(root.path().join("a/src/lib.rs"), source).unwrap();
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn used_dependencies_pass() {
        assert_eq!(with("[dependencies]\nserde = \"1\"\n", "use serde::Serialize;"), Ok(()));
    }

    #[test]
    fn an_unused_dependency_is_named_with_its_crate() {
        let error =
            with("[dev-dependencies]\nserde.workspace = true\n", "// serde::Serialize\n").unwrap_err();
        assert_eq!(error, "1 found\n  a/Cargo.toml: `serde` is not used in its sources");
    }

    #[test]
    fn a_shared_dependency_that_no_crate_has_is_named() {
        let error = with("[package]\nname = \"a\"\n", "").unwrap_err();
        assert_eq!(error, "1 found\n  Cargo.toml: no crate depends on `serde`");
    }

    #[test]
    fn a_dependency_with_a_reason_is_excused() {
        let manifest =
            "[dependencies]\nserde = \"1\"\n[package.metadata.unused]\nserde = \"for its features\"\n";
        assert_eq!(with(manifest, ""), Ok(()));
    }

    #[test]
    fn a_platform_s_dependencies_count() {
        let error = with("[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n", "").unwrap_err();
        assert!(error.contains("`serde` is not used"), "{error}");
    }

    #[test]
    fn only_whole_names_of_crates_are_mentions() {
        assert!(mentions("#[serde_json::x]", "serde_json"));
        assert!(mentions("extern crate serde;", "serde"));
        assert!(mentions("let x = ::serde::y();", "serde"));
        assert!(!mentions("use serde_json::Value;", "serde"));
        assert!(!mentions("crate::serde::x()", "serde"));
        assert!(!mentions("let serde = 1;", "serde"));
    }
}
