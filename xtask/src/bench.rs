//! The measurements of `benches/`.

use crate::project::Project;

/// Runs them, optimised, on an otherwise idle machine if they are to mean something; arguments go to
/// criterion.
///
/// # Errors
/// They cannot be built, or a run fails.
pub fn run(project: &Project, rest: Vec<String>) -> anyhow::Result<()> {
    project
        .cargo(["bench", "--package", "wasmcloud-benches", "--bench", "instantiate", "--"])
        .args(rest)
        .run()
}
