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

/// A program in Rust.
pub struct Guest {
    /// The module's name in `<target>/guests`, without `.wasm`.
    pub name: &'static str,
    /// Its manifest, from the project's root.
    pub manifest: &'static str,
    /// The file that cargo makes.
    artifact: &'static str,
    /// The folders that it is made of.
    sources: &'static [&'static str],
}

/// Every program that is built.
pub const GUESTS: &[Guest] = &[Guest {
    name: "olin-echo",
    manifest: "examples/olin-echo/Cargo.toml",
    artifact: "olin_echo.wasm",
    sources: &["examples/olin-echo", "olin"],
}];

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

    fn build(&self, project: &Project, guest: &Guest, target: &Path) -> Command {
        let build = |command: Command| {
            command
                .args(["build", "--release", "--locked", "--target", TARGET])
                .arg("--manifest-path")
                .arg(project.root.join(guest.manifest))
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

/// Builds every program that changed since it was built.
///
/// # Errors
/// If there is no compiler for it, or it does not compile.
pub fn run(project: &Project) -> anyhow::Result<()> {
    let toolchain = Toolchain::find(project)
        .with_context(|| format!("there is no compiler for {TARGET}; `cargo xtask setup` says what to do"))?;
    GUESTS.iter().try_for_each(|guest| build(project, &toolchain, guest))
}

fn build(project: &Project, toolchain: &Toolchain, guest: &Guest) -> anyhow::Result<()> {
    let folder = project.target.join("guests");
    let module = folder.join(guest.name).with_extension("wasm");
    let stamp = folder.join(guest.name).with_extension("stamp");
    let fingerprint = fingerprint(&project.root, guest, toolchain)?;
    if module.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|built| built == fingerprint) {
        eprintln!("    {} is up to date", module.display());
        return Ok(());
    }
    let target = folder.join("build");
    toolchain.build(project, guest, &target).run()?;
    let built = target.join(TARGET).join("release").join(guest.artifact);
    std::fs::copy(&built, &module)
        .with_context(|| format!("cannot copy {} to {}", built.display(), module.display()))?;
    std::fs::write(&stamp, fingerprint).with_context(|| format!("cannot write {}", stamp.display()))?;
    eprintln!("    built {}", module.display());
    Ok(())
}

/// Changes when a source of the program does, or what compiles it. Checkouts that share a target folder
/// have different sources at the same time, so this is about contents and not about times.
fn fingerprint(root: &Path, guest: &Guest, toolchain: &Toolchain) -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    toolchain.hash(&mut hasher);
    for folder in guest.sources {
        for extension in ["rs", "toml", "lock"] {
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

    const GUEST: Guest =
        Guest { name: "a", manifest: "a/Cargo.toml", artifact: "a.wasm", sources: &["a", "lib"] };

    #[test]
    fn a_fingerprint_changes_with_any_source_and_with_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/src")).unwrap();
        std::fs::create_dir_all(root.join("a/target")).unwrap();
        std::fs::create_dir_all(root.join("lib")).unwrap();
        std::fs::write(root.join("a/src/lib.rs"), "1").unwrap();
        std::fs::write(root.join("lib/lib.rs"), "1").unwrap();
        let print = || fingerprint(root, &GUEST, &Toolchain::Rustup).unwrap();

        let first = print();
        std::fs::write(root.join("a/README.md"), "words").unwrap();
        std::fs::write(root.join("a/target/made.rs"), "made").unwrap();
        assert_eq!(print(), first);

        std::fs::write(root.join("lib/lib.rs"), "2").unwrap();
        let second = print();
        assert_ne!(second, first);

        std::fs::rename(root.join("a/src/lib.rs"), root.join("a/src/main.rs")).unwrap();
        assert_ne!(print(), second);
    }

    #[test]
    fn every_guest_has_its_manifest_and_its_sources() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for guest in GUESTS {
            assert!(root.join(guest.manifest).is_file(), "{}", guest.name);
            assert!(guest.sources.iter().all(|folder| root.join(folder).is_dir()), "{}", guest.name);
        }
    }
}
