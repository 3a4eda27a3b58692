//! Example programs, built for WebAssembly into `<target>/guests`.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::{Command, on_path, package_files};
use crate::project::{Project, files_with_extension};

const TARGET: &str = "wasm32-unknown-unknown";

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

/// The workspace of all programs in Rust, from the project's root.
pub const MANIFEST: &str = "examples/Cargo.toml";

/// Every program of it. The module is `<target>/guests/NAME.wasm`.
pub const GUESTS: [&str; 8] = [
    "olin-about",
    "olin-echo",
    "olin-fetch",
    "olin-gemini",
    "olin-json",
    "olin-page",
    "olin-webhook",
    "olin-websocket",
];

/// What the programs are made of: folders, and the files in them that count.
const SOURCES: [&str; 2] = ["examples", "olin"];
const SOURCE_EXTENSIONS: [&str; 5] = ["css", "html", "lock", "rs", "toml"];

/// Variables that programs are built with, if they are set.
const BUILT_IN: [&str; 2] = ["WEBHOOK_SECRET", "WEBHOOK_TARGET"];

/// A Rust that compiles for WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Toolchain {
    /// The project's own, with rustup's target.
    Rustup,
    /// Another one, which has the sources of the standard library and builds it too; `wasm-ld` links.
    WithSources {
        /// Its compiler.
        rustc: PathBuf,
        /// Its cargo.
        cargo: PathBuf,
    },
}

impl Toolchain {
    /// The first that there is: rustup's target, else Debian's `-web` packages, else any Rust on the path
    /// that has sources.
    pub fn find(project: &Project) -> Option<Toolchain> {
        let libraries = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).answer();
        if libraries.is_some_and(|folder| Path::new(folder.trim()).is_dir()) {
            return Some(Toolchain::Rustup);
        }
        if on_path("wasm-ld").is_empty() {
            return None;
        }
        let rustc = programs("rustc-web", "rustc").into_iter().find(|rustc| has_sources(rustc, project))?;
        // A cargo of the same folder knows the same sources.
        let beside = rustc.with_file_name("cargo");
        let cargo = programs("cargo-web", "cargo").into_iter().find(|cargo| *cargo == beside)?;
        Some(Toolchain::WithSources { rustc, cargo })
    }

    fn build(&self, project: &Project, target: &Path) -> Command {
        let build = |command: Command| {
            command
                .args(["build", "--release", "--locked", "--target", TARGET])
                .arg("--manifest-path")
                .arg(project.root.join(MANIFEST))
                .env("CARGO_TARGET_DIR", target)
        };
        match self {
            Toolchain::Rustup => build(project.cargo::<&str>([]))
                .env_remove("CARGO_ENCODED_RUSTFLAGS")
                .env("RUSTFLAGS", "-Dwarnings"),
            Toolchain::WithSources { rustc, cargo } => {
                build(without_host(Command::new(cargo)).current_dir(&project.root))
                    .arg("-Zbuild-std=std,panic_abort")
                    // `build-std` is no stable flag; the compiler that has it is one that Debian tested it with.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", rustc)
                    .env("RUSTFLAGS", "-Dwarnings -Clinker=wasm-ld -Clinker-flavor=wasm-ld")
            }
        }
    }
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

/// Builds every program, if anything changed since they were built: in one go, so that what they share is
/// compiled once.
///
/// # Errors
/// If there is no compiler for it, or one does not compile.
pub fn run(project: &Project) -> anyhow::Result<()> {
    let toolchain = Toolchain::find(project)
        .with_context(|| format!("there is no compiler for {TARGET}; `cargo xtask setup` says what to do"))?;
    let folder = project.target.join("guests");
    let stamp = folder.join("stamp");
    let fingerprint = fingerprint(&project.root, &toolchain)?;
    let modules = GUESTS.map(|name| (name, folder.join(name).with_extension("wasm")));
    let all_there = modules.iter().all(|(_, module)| module.is_file());
    if all_there && std::fs::read_to_string(&stamp).is_ok_and(|built| built == fingerprint) {
        eprintln!("    {} programs in {} are up to date", modules.len(), folder.display());
        return Ok(());
    }
    let target = folder.join("build");
    toolchain.build(project, &target).run()?;
    for (name, module) in &modules {
        let built = target.join(TARGET).join("release").join(name.replace('-', "_")).with_extension("wasm");
        std::fs::copy(&built, module)
            .with_context(|| format!("cannot copy {} to {}", built.display(), module.display()))?;
        let bytes = module.metadata().map_or(0, |metadata| metadata.len());
        eprintln!("    built {}: {bytes} bytes", module.display());
    }
    std::fs::write(&stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Formats the programs. `--all` would take what they depend on with them, and so this whole project.
pub fn fmt(project: &Project) -> Command {
    let packages = GUESTS.iter().flat_map(|&name| ["-p", name]);
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

/// Changes when a source of a program does, or what compiles it. Checkouts that share a target folder
/// have different sources at the same time, so this is about contents and not about times.
fn fingerprint(root: &Path, toolchain: &Toolchain) -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    toolchain.hash(&mut hasher);
    BUILT_IN.map(std::env::var_os).hash(&mut hasher);
    for folder in SOURCES {
        for extension in SOURCE_EXTENSIONS {
            for path in files_with_extension(&root.join(folder), extension)? {
                path.strip_prefix(root).unwrap_or(&path).hash(&mut hasher);
                let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                text.hash(&mut hasher);
            }
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_changes_with_any_source_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("examples/a/src")).unwrap();
        std::fs::create_dir_all(root.join("examples/target")).unwrap();
        std::fs::create_dir_all(root.join("olin")).unwrap();
        std::fs::write(root.join("examples/a/src/lib.rs"), "1").unwrap();
        std::fs::write(root.join("olin/lib.rs"), "1").unwrap();
        let print = || fingerprint(root, &Toolchain::Rustup).unwrap();

        let first = print();
        std::fs::write(root.join("examples/a/README.md"), "words").unwrap();
        std::fs::write(root.join("examples/target/made.rs"), "made").unwrap();
        assert_eq!(print(), first);

        std::fs::write(root.join("olin/lib.rs"), "2").unwrap();
        let second = print();
        assert_ne!(second, first);

        std::fs::write(root.join("examples/a/src/style.css"), "").unwrap();
        let third = print();
        assert_ne!(third, second);

        std::fs::rename(root.join("examples/a/src/lib.rs"), root.join("examples/a/src/main.rs")).unwrap();
        assert_ne!(print(), third);
    }

    #[test]
    fn every_program_in_the_workspace_is_one_that_is_built() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let folders = examples.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let programs = folders.filter(|folder| folder.join("Cargo.toml").is_file());
        let mut names: Vec<String> =
            programs.map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, GUESTS);
    }
}
