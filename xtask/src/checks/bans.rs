//! No dependency that deny.toml bans.
//!
//! deny.toml is written for cargo-deny, which reads more of it: licences and advisories. It takes minutes
//! to build, so what must hold on every change is checked here, from what `cargo tree` says. (Cargo.lock
//! also lists packages that no chosen feature needs.)

use std::collections::BTreeSet;

use anyhow::Context as _;

use super::{read_toml, report};
use crate::project::Project;

/// Checks what the workspace is built of, on every platform, against `bans.deny` of deny.toml, and that
/// nothing comes from a git repository.
///
/// # Errors
/// Names each package that must not be there, with the reason that deny.toml gives.
pub fn run(project: &Project) -> anyhow::Result<()> {
    let deny = read_toml(&project.root.join("deny.toml"))?;
    let tree =
        project.cargo(["tree", "--workspace", "--target", "all", "--prefix", "none", "--format", "{p}"]);
    let tree = tree.answer().context("`cargo tree --workspace` failed; run it to see why")?;
    report(problems(&rules(&deny)?, &tree))
}

fn problems(rules: &[Rule], tree: &str) -> Vec<String> {
    // A package stands in the tree wherever something depends on it.
    let packages: BTreeSet<Package<'_>> = tree.lines().filter_map(Package::parse).collect();
    let mut problems: Vec<String> = rules.iter().filter_map(|rule| rule.broken(&packages)).collect();
    for package in packages.iter().filter(|package| package.from_git) {
        problems.push(format!("{} {} comes from a git repository", package.name, package.version));
    }
    problems
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    from_git: bool,
}

impl Package<'_> {
    /// Reads `name v1.2.3`, with its source behind it where that is not the registry.
    fn parse(line: &str) -> Option<Package<'_>> {
        let (name, rest) = line.split_once(" v")?;
        let version = rest.split_whitespace().next()?;
        Some(Package { name, version, from_git: rest.contains("://") })
    }
}

struct Rule {
    name: String,
    reason: String,
    /// One version is fine, two are not.
    only_multiple: bool,
}

impl Rule {
    fn broken(&self, packages: &BTreeSet<Package<'_>>) -> Option<String> {
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

    fn with(tree: &str) -> Vec<String> {
        problems(&rules(&DENY.parse().unwrap()).unwrap(), tree)
    }

    #[test]
    fn one_version_of_what_may_be_there_once_passes_wherever_it_stands_in_the_tree() {
        let tree = "wasmcloud v0.1.0 (/src/cli)\nrustls v0.23.1\nasync-trait v0.1.1 (proc-macro)\nrustls v0.23.1 (*)\n";
        assert_eq!(with(tree), Vec::<String>::new());
    }

    #[test]
    fn a_banned_crate_is_named_with_version_and_reason() {
        let found = with("ring v0.17.1\nring-like v1.0.0\n");
        assert_eq!(
            found,
            ["ring 0.17.1: one crypto provider (`cargo tree --workspace -i ring` says who wants it)"]
        );
    }

    #[test]
    fn two_versions_of_what_may_be_there_once_are_named() {
        let found = with("rustls v0.22.0\nrustls v0.23.1\n");
        assert!(found.len() == 1 && found[0].starts_with("rustls 0.22.0 and 0.23.1: one TLS"), "{found:?}");
    }

    #[test]
    fn a_package_from_git_is_named() {
        let found = with("serde v1.0.0 (https://example.com/serde?branch=main#0123abcd)\n");
        assert_eq!(found, ["serde 1.0.0 comes from a git repository"]);
    }

    #[test]
    fn a_ban_without_a_reason_is_a_mistake() {
        let deny = "[bans]\ndeny = [{ crate = \"ring\" }]".parse().unwrap();
        assert!(rules(&deny).is_err_and(|error| error.to_string().contains("no `reason`")));
    }
}
