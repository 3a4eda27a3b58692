//! No dependency that deny.toml bans.
//!
//! deny.toml is written for cargo-deny, which reads more of it: licences and advisories. It takes minutes
//! to build, so what must hold on every change is checked here, from Cargo.lock.

use std::path::Path;

use anyhow::Context as _;

use super::{read_toml, report};

/// Checks Cargo.lock against `bans.deny` of deny.toml, and that nothing comes from a git repository.
///
/// # Errors
/// Names each package that must not be there, with the reason that deny.toml gives.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let rules = rules(&read_toml(&root.join("deny.toml"))?)?;
    let lock = read_toml(&root.join("Cargo.lock"))?;
    let packages = lock.get("package").and_then(|packages| packages.as_array());
    let packages: Vec<Package<'_>> = packages.into_iter().flatten().filter_map(Package::parse).collect();
    let mut problems: Vec<String> = rules.iter().filter_map(|rule| rule.broken(&packages)).collect();
    for package in packages.iter().filter(|package| package.from_git) {
        problems.push(format!("{} {} comes from a git repository", package.name, package.version));
    }
    report(problems)
}

struct Package<'a> {
    name: &'a str,
    version: &'a str,
    from_git: bool,
}

impl Package<'_> {
    fn parse(package: &toml::Value) -> Option<Package<'_>> {
        let text = |key: &str| package.get(key).and_then(|value| value.as_str());
        let from_git = text("source").is_some_and(|source| source.starts_with("git+"));
        Some(Package { name: text("name")?, version: text("version")?, from_git })
    }
}

struct Rule {
    name: String,
    reason: String,
    /// One version is fine, two are not.
    only_multiple: bool,
}

impl Rule {
    fn broken(&self, packages: &[Package<'_>]) -> Option<String> {
        let versions: Vec<&str> = packages
            .iter()
            .filter(|package| package.name == self.name)
            .map(|package| package.version)
            .collect();
        if versions.len() <= usize::from(self.only_multiple) {
            return None;
        }
        let (name, versions, reason) = (&self.name, versions.join(" and "), &self.reason);
        Some(format!("{name} {versions}: {reason} (`cargo tree --workspace -i {name}` says who wants it)"))
    }
}

fn rules(deny: &toml::Table) -> anyhow::Result<Vec<Rule>> {
    let rows = deny.get("bans").and_then(|bans| bans.get("deny")?.as_array());
    let rows = rows.context("deny.toml has no list `bans.deny`")?;
    rows.iter()
        .map(|row| {
            let text = |key: &str| row.get(key).and_then(|value| value.as_str());
            Ok(Rule {
                name: text("crate").context("an entry of `bans.deny` has no `crate`")?.to_owned(),
                reason: text("reason").context("an entry of `bans.deny` has no `reason`")?.to_owned(),
                only_multiple: row.get("deny-multiple-versions").and_then(|v| v.as_bool()).unwrap_or(false),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        [bans]
        deny = [
            { crate = "ring", reason = "one crypto provider" },
            { crate = "rustls", deny-multiple-versions = true, reason = "one TLS" },
        ]
    "#;

    fn with(packages: &[(&str, &str)], source: &str) -> Result<(), String> {
        let root = tempfile::tempdir().unwrap();
        let rows = packages.iter().map(|(name, version)| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n")
        });
        std::fs::write(root.path().join("Cargo.lock"), rows.collect::<String>()).unwrap();
        std::fs::write(root.path().join("deny.toml"), DENY).unwrap();
        run(root.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn one_version_of_what_may_be_there_once_passes() {
        assert_eq!(with(&[("rustls", "0.23.1"), ("serde", "1.0.0")], "registry+x"), Ok(()));
    }

    #[test]
    fn a_banned_crate_is_named_with_version_and_reason() {
        let error = with(&[("ring", "0.17.1")], "registry+x").unwrap_err();
        assert!(error.contains("ring 0.17.1: one crypto provider"), "{error}");
    }

    #[test]
    fn two_versions_of_what_may_be_there_once_are_named() {
        let error = with(&[("rustls", "0.22.0"), ("rustls", "0.23.1")], "registry+x").unwrap_err();
        assert!(error.contains("rustls 0.22.0 and 0.23.1: one TLS"), "{error}");
    }

    #[test]
    fn a_package_from_git_is_named() {
        let error = with(&[("serde", "1.0.0")], "git+https://example.com/serde").unwrap_err();
        assert!(error.contains("serde 1.0.0 comes from a git repository"), "{error}");
    }
}
