//! Programs in Rust: all of them are one workspace, built for two targets.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::toolbox::Toolbox;
use crate::process::{Command, on_path, package_files};
use crate::project::Project;

/// The workspace, from the project's root.
pub const MANIFEST: &str = "examples/Cargo.toml";

/// Olin programs: modules without a system below them.
pub const OLIN: [&str; 8] = [
    "olin-about",
    "olin-echo",
    "olin-fetch",
    "olin-gemini",
    "olin-json",
    "olin-page",
    "olin-webhook",
    "olin-websocket",
];

/// Components that export `wasi:http`.
pub const HTTP: [&str; 3] = ["echo", "rust-http", "wasi-http-stream"];

/// WASI 0.1 commands.
pub const COMMANDS: [&str; 1] = ["rust-cgi"];

/// Components that export `wasi:cli`.
pub const COMMAND_COMPONENTS: [&str; 1] = ["rust-cli"];

/// A target of the compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    /// No system: Olin programs, and components that import WASI by themselves.
    Bare,
    /// WASI 0.1, as the standard library uses it.
    Wasi,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Bare => "wasm32-unknown-unknown",
            Target::Wasi => "wasm32-wasip1",
        }
    }
}

/// Variables that `cargo xtask` or a person's shell sets for the host's Rust, and that another Rust must not see.
const HOST_VARIABLES: [&str; 8] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "LD_LIBRARY_PATH",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// A Rust that compiles for WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Toolchain {
    /// The project's own, with rustup's targets.
    Rustup,
    /// Another one, which has the sources of the standard library and builds it too; `wasm-ld` links.
    WithSources {
        /// Its compiler.
        rustc: PathBuf,
        /// Its cargo.
        cargo: PathBuf,
        /// The start of a WASI 0.1 command, in the folder of the C library that is linked to it.
        start: PathBuf,
    },
}

impl Toolchain {
    /// The first that there is: rustup's targets, else Debian's `-web` packages, else any Rust on the path
    /// that has sources.
    pub fn find(project: &Project) -> Option<Toolchain> {
        if [Target::Bare, Target::Wasi].into_iter().all(rustup_has) {
            return Some(Toolchain::Rustup);
        }
        if on_path("wasm-ld").is_empty() {
            return None;
        }
        let start = package_files("wasi-libc").into_iter().find(|path| path.ends_with("crt1-command.o"))?;
        let rustc = programs("rustc-web", "rustc").into_iter().find(|rustc| has_sources(rustc, project))?;
        // A cargo of the same folder knows the same sources.
        let beside = rustc.with_file_name("cargo");
        let cargo = programs("cargo-web", "cargo").into_iter().find(|cargo| *cargo == beside)?;
        Some(Toolchain::WithSources { rustc, cargo, start })
    }

    /// Builds the packages in one go, so that what they share is compiled once.
    fn build(&self, project: &Project, folder: &Path, target: Target, packages: &[&str]) -> Command {
        let build = |command: Command| {
            command
                .args(["build", "--release", "--locked", "--target", target.name()])
                .args(packages.iter().flat_map(|&package| ["-p", package]))
                .arg("--manifest-path")
                .arg(project.root.join(MANIFEST))
                .env("CARGO_TARGET_DIR", folder)
        };
        match self {
            Toolchain::Rustup => build(project.cargo::<&str>([]))
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env("RUSTFLAGS", "-Dwarnings"),
            Toolchain::WithSources { rustc, cargo, start } => {
                let mut flags = "-Dwarnings -Clinker=wasm-ld -Clinker-flavor=wasm-ld".to_owned();
                if target == Target::Wasi {
                    let library = start.parent().unwrap_or(start).display();
                    flags += &format!(" -Clink-self-contained=no -Clink-arg={}", start.display());
                    flags += &format!(" -Clink-arg=-L{library} -Clink-arg=-lc");
                }
                build(without_host(Command::new(cargo)).current_dir(&project.root))
                    .arg("-Zbuild-std=std,panic_abort")
                    // `build-std` is no stable flag; the compiler that has it is one that Debian tested it with.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", rustc)
                    .env("RUSTFLAGS", flags)
            }
        }
    }
}

fn rustup_has(target: Target) -> bool {
    let question = Command::new("rustc").args(["--print", "target-libdir", "--target", target.name()]);
    question.answer().is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// The programs of that name: the package's, then those on the path.
fn programs(package: &str, name: &str) -> Vec<PathBuf> {
    let mut found = package_files(package);
    found.retain(|path| path.ends_with(Path::new("bin").join(name)));
    found.extend(on_path(name));
    found
}

/// Whether the compiler finds the standard library's sources where `build-std` looks for them.
fn has_sources(rustc: &Path, project: &Project) -> bool {
    let question = without_host(Command::new(rustc)).args(["--print", "sysroot"]);
    question.current_dir(&project.root).answer().is_some_and(|folder| {
        Path::new(folder.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
    })
}

fn without_host(command: Command) -> Command {
    HOST_VARIABLES.into_iter().fold(command, Command::env_remove)
}

/// Builds every program, into `NAME.wasm` in the folder.
///
/// # Errors
/// If one does not compile, or is no component where it should become one.
pub fn build(
    toolchain: &Toolchain,
    toolbox: &Toolbox,
    project: &Project,
    folder: &Path,
) -> anyhow::Result<()> {
    let bare: Vec<&str> = OLIN.into_iter().chain(HTTP).collect();
    toolchain.build(project, folder, Target::Bare, &bare).run()?;
    let wasi: Vec<&str> = COMMANDS.into_iter().chain(COMMAND_COMPONENTS).collect();
    toolchain.build(project, folder, Target::Wasi, &wasi).run()?;

    let built = |target: Target, file: String| folder.join(target.name()).join("release").join(file);
    // A library's file is named like its crate, a program's like its package.
    let library = |name: &str| built(Target::Bare, format!("{}.wasm", name.replace('-', "_")));
    let program = |name: &str| built(Target::Wasi, format!("{name}.wasm"));
    let module = |name: &str| folder.join(name).with_extension("wasm");
    let copy = |from: PathBuf, to: PathBuf| {
        std::fs::copy(&from, to).map(|_bytes| ()).with_context(|| format!("cannot copy {}", from.display()))
    };
    for name in OLIN {
        copy(library(name), module(name))?;
    }
    for name in COMMANDS {
        copy(program(name), module(name))?;
    }
    for name in HTTP {
        toolbox.component(&library(name)).arg("-o").arg(module(name)).run()?;
    }
    for name in COMMAND_COMPONENTS {
        toolbox.adapted_component(&program(name)).arg("-o").arg(module(name)).run()?;
    }
    Ok(())
}

/// Formats the programs. `--all` would take what they depend on with them, and so this whole project.
pub fn fmt(project: &Project) -> Command {
    let packages = packages().flat_map(|name| ["-p", name]);
    project.cargo(["fmt", "--manifest-path", MANIFEST]).args(packages)
}

/// The programs' own warnings, found natively.
///
/// # Errors
/// If there is one.
pub fn lint(project: &Project) -> anyhow::Result<()> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--manifest-path", MANIFEST];
    natively(project, project.cargo(clippy)).args(["--", "-D", "warnings"]).run()
}

/// The programs' own tests, which run natively, on a double of the host.
///
/// # Errors
/// If one fails.
pub fn test(project: &Project) -> anyhow::Result<()> {
    natively(project, project.cargo(["test", "--workspace", "--locked", "--manifest-path", MANIFEST])).run()
}

/// Beside what is built for WebAssembly: another workspace has other versions and other profiles.
fn natively(project: &Project, command: Command) -> Command {
    command.env("CARGO_TARGET_DIR", project.target.join("guests/native"))
}

/// Every package of the workspace.
fn packages() -> impl Iterator<Item = &'static str> {
    OLIN.into_iter().chain(HTTP).chain(COMMANDS).chain(COMMAND_COMPONENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_in_the_workspace_is_one_that_is_built() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let folders = examples.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let programs = folders.filter(|folder| folder.join("Cargo.toml").is_file());
        let mut names: Vec<String> =
            programs.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        let mut built: Vec<&str> = packages().collect();
        built.sort_unstable();
        assert_eq!(names, built);
    }
}
