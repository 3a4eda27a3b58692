//! Checks of the checkout that no compiler makes.

pub mod bans;
pub mod dependencies;
pub mod links;
mod markdown;
pub mod migrations;
pub mod promises;
pub mod summary;

use std::path::Path;

use anyhow::{Context as _, bail};

/// Fails with the problems, one a line, if there are any.
fn report(problems: Vec<String>) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} found\n  {}", problems.len(), problems.join("\n  "))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_toml(path: &Path) -> anyhow::Result<toml::Table> {
    read(path)?.parse().with_context(|| format!("{} is no TOML", path.display()))
}
