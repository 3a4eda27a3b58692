//! Tools that are not part of Rust.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::{Command, on_path};
use crate::project::Project;

/// The version of typos that is installed where none is: a later one knows more words, and would fail
/// tomorrow what passes today.
const TYPOS_VERSION: &str = "1.52.0";

/// Looks for misspelled words in the checkout.
///
/// # Errors
/// If there are any. Where typos cannot be had, that is said, and it is no error.
pub fn typos(project: &Project) -> anyhow::Result<()> {
    let Some(typos) = typos_installed(project) else {
        eprintln!(
            "    SKIPPED: typos is not installed (`cargo xtask setup` installs it where Python's pip is)"
        );
        return Ok(());
    };
    Command::new(typos)
        .current_dir(&project.root)
        .run()
        .context("correct the words, or add those that are right to _typos.toml")
}

/// The typos of the machine, else the one that [`install_typos`] installed.
pub fn typos_installed(project: &Project) -> Option<PathBuf> {
    let own = folder(project).join("bin/typos");
    on_path("typos").into_iter().next().or_else(|| own.is_file().then_some(own))
}

/// Installs typos with pip, in a folder of its own under the target folder.
///
/// # Errors
/// If there is no Python with `venv` and pip, or the package cannot be had.
pub fn install_typos(project: &Project) -> anyhow::Result<()> {
    install_with_pip(&folder(project), &[&format!("typos=={TYPOS_VERSION}")])
}

/// Installs packages with pip, in a folder of their own.
///
/// # Errors
/// If there is no Python with `venv` and pip, or a package cannot be had.
pub fn install_with_pip(folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    Command::new("python3").args(["-m", "venv"]).arg(folder).run()?;
    Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(packages)
        .run()
}

fn folder(project: &Project) -> PathBuf {
    project.target.join("tools").join(format!("typos-{TYPOS_VERSION}"))
}
