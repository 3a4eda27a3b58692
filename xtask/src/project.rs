//! Where the project is, and where it is built.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::process::Command;

/// The folders that tasks work in.
#[derive(Debug)]
pub struct Project {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, else `target` in the checkout.
    pub target: PathBuf,
    cargo: PathBuf,
}

impl Project {
    /// The project that `cargo xtask` was called in.
    ///
    /// # Errors
    /// If the program was started in another way, somewhere else.
    pub fn find() -> anyhow::Result<Project> {
        let here = std::env::current_dir().context("the working directory is gone")?;
        // Cargo sets it for programs that it runs.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let start = manifest.unwrap_or_else(|| here.clone());
        let Some(root) = start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()) else {
            bail!("no Cargo.lock in {} or above; run `cargo xtask` in the project's folder", start.display());
        };
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => here.join(folder),
            None => root.join("target"),
        };
        let cargo = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
        Ok(Project { root: root.to_owned(), target, cargo })
    }

    /// The very cargo that runs this program, in the checkout.
    pub fn cargo<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        Command::new(&self.cargo).args(args).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target)
    }
}

/// Every file under a folder whose name ends in `.extension`, in order; nothing if there is no such folder.
/// What others made is left out: folders named `target` or `node_modules`, and hidden ones.
///
/// # Errors
/// If a folder cannot be read.
pub fn files_with_extension(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        if !folder.is_dir() {
            continue;
        }
        let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot read {}", folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(&*name, "target" | "node_modules") && !name.starts_with('.') {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
