//! The project's own tasks: `cargo xtask TASK`.
//!
//! CI is this program: `.ci/run` calls `cargo xtask test`, as a person would.

mod bench;
mod browser;
mod checks;
mod guests;
mod process;
mod project;
mod setup;
mod step;
mod tools;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::process::Command;
use crate::project::Project;
use crate::step::step;

const USAGE: &str = "\
cargo xtask TASK

  setup    says what is missing on this machine; installs it where it may (as root on Debian)
  guests   builds the example programs for WebAssembly, into <target>/guests
  fmt      formats every crate
  check    what needs no compiler: links, pages, promises, migrations, dependencies, typos
  lint     formatting and clippy
  doc      the documentation of the code
  test     all of the above in the form that only checks, then all tests; arguments go to `cargo test`
  ci       the same as `test`
  screenshots  makes the pictures of docs/PANEL.md anew
  bench    measures the executor next to wasmer and wasmtime; arguments go to criterion
  list     this list";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_else(|| "list".to_owned());
    match run(&task, arguments.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask {task}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &str, rest: Vec<String>) -> anyhow::Result<()> {
    let takes_arguments = matches!(task, "test" | "ci" | "bench");
    if !takes_arguments && !rest.is_empty() {
        bail!("`{task}` takes no arguments, but got `{}`", rest.join(" "));
    }
    if matches!(task, "list" | "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let project = Project::find()?;
    match task {
        "setup" => setup::run(&project),
        "guests" => guests::run(&project),
        "fmt" => fmt(&project),
        "check" => check(&project),
        "lint" => lint(&project),
        "doc" => doc(&project),
        "test" | "ci" => test(&project, rest),
        "screenshots" => screenshots(&project),
        "bench" => bench::run(&project, rest),
        unknown => bail!("there is no task `{unknown}`; `cargo xtask list` shows them"),
    }
}

fn fmt(project: &Project) -> anyhow::Result<()> {
    project.cargo(["fmt", "--all"]).run()?;
    guests::fmt(project).run()
}

fn check(project: &Project) -> anyhow::Result<()> {
    step("links", || checks::links::run(&project.root))?;
    step("summary of docs", || checks::summary::run(&project.root))?;
    step("promises", || checks::promises::run(&project.root))?;
    step("migrations", || checks::migrations::run(&project.root))?;
    step("unused dependencies", || checks::dependencies::run(&project.root))?;
    step("banned dependencies", || checks::bans::run(project))?;
    step("typos", || tools::typos(project))
}

fn lint(project: &Project) -> anyhow::Result<()> {
    step("format", || {
        let fix = "run `cargo xtask fmt`";
        project.cargo(["fmt", "--all", "--check"]).run().context(fix)?;
        guests::fmt(project).arg("--check").run().context(fix)
    })?;
    step("clippy", || {
        project.cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()
    })?;
    step("clippy of the examples", || guests::lint(project))
}

fn doc(project: &Project) -> anyhow::Result<()> {
    step("documentation of the code", || {
        project.cargo(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run()
    })
}

/// The story that looks at the pages which the docs show, told to keep what it sees.
fn screenshots(project: &Project) -> anyhow::Result<()> {
    let images = project.root.join("docs/images");
    let story = "the_pages_that_the_docs_show_look_right";
    let tests = ["test", "--workspace", "--exclude", "wasmcloud-benches", "--test", "it", story];
    let command = project.cargo(tests).env(browser::SCREENSHOTS, images);
    command.env(browser::VARIABLE, browser::Browser::new(project).folder()).run()
}

fn test(project: &Project, rest: Vec<String>) -> anyhow::Result<()> {
    step("setup", || setup::run(project))?;
    step("guests", || guests::run(project))?;
    check(project)?;
    lint(project)?;
    doc(project)?;
    step("tests of the examples", || guests::test(project))?;
    // Last, and without a line of its own at the end: what `cargo test` says is the end of the output.
    step::begin("tests");
    // Measurements have no tests, and building the engine that they compare with takes minutes.
    let command: Command =
        project.cargo(["test", "--workspace", "--exclude", "wasmcloud-benches"]).args(rest);
    let command = command.env(browser::VARIABLE, browser::Browser::new(project).folder());
    command.run()
}
