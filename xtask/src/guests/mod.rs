//! Example programs, built for WebAssembly into `<target>/guests`.

mod languages;
mod rust;
mod toolbox;

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::path::Path;

use anyhow::Context as _;

pub use self::rust::{Toolchain, fmt, lint, test};
pub use self::toolbox::Toolbox;
use crate::project::{Project, files_with_extension};

/// What the programs in Rust are made of: folders, and the files in them that count.
const RUST_SOURCES: [&str; 2] = ["examples", "olin"];
const RUST_EXTENSIONS: [&str; 5] = ["css", "html", "lock", "rs", "toml"];

/// What programs in other languages are made of.
const EXTENSIONS: [&str; 8] = ["c", "go", "js", "mod", "py", "ts", "wit", "zig"];

/// Variables that programs are built with, if they are set.
const BUILT_IN: [&str; 2] = ["WEBHOOK_SECRET", "WEBHOOK_TARGET"];

/// Builds every program of which a source changed since it was built.
///
/// # Errors
/// If there is no compiler for one, or it does not compile.
pub fn run(project: &Project) -> anyhow::Result<()> {
    let advice = "`cargo xtask setup` says what to do";
    let toolchain = Toolchain::find(project)
        .with_context(|| format!("there is no Rust that compiles for WebAssembly; {advice}"))?;
    let toolbox = Toolbox::new(project);
    toolbox.install().context(advice)?;

    let root = &project.root;
    let guests = project.target.join("guests");
    let names: Vec<&str> =
        [&rust::OLIN[..], &rust::HTTP, &rust::COMMANDS, &rust::COMMAND_COMPONENTS].concat();
    let variables = BUILT_IN.map(std::env::var_os);
    let print = fingerprint(root, &RUST_SOURCES, &RUST_EXTENSIONS, (&toolchain, variables, &toolbox))?;
    unless_built(&guests, "rust", &names, &print, |folder| {
        rust::build(&toolchain, &toolbox, project, folder)
    })?;
    for program in languages::PROGRAMS {
        let sources = format!("examples/{}", program.name);
        let print = fingerprint(root, &[&sources], &EXTENSIONS, &toolbox)?;
        unless_built(&guests, program.name, &[program.name], &print, |folder| {
            program.build(&toolbox, &root.join(&sources), folder)
        })?;
    }
    Ok(())
}

/// Builds in `build/GROUP`, and copies each module that must be there then, unless the last time was with
/// the same fingerprint.
fn unless_built(
    guests: &Path,
    group: &str,
    names: &[&str],
    print: &str,
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = guests.join("build").join(group);
    let stamp = folder.join("stamp");
    let module = |name: &str| guests.join(name).with_extension("wasm");
    let all_there = names.iter().all(|name| module(name).is_file());
    if all_there && std::fs::read_to_string(&stamp).is_ok_and(|built| built == print) {
        eprintln!("    up to date: {}", names.join(", "));
        return Ok(());
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let started = std::time::Instant::now();
    build(&folder)?;
    for name in names {
        let (built, module) = (folder.join(name).with_extension("wasm"), module(name));
        let bytes = std::fs::copy(&built, &module)
            .with_context(|| format!("cannot copy {} to {}", built.display(), module.display()))?;
        eprintln!("    built {}: {bytes} bytes", module.display());
    }
    eprintln!("    {group}: {:.1} s", started.elapsed().as_secs_f64());
    std::fs::write(&stamp, print).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Changes when a source does, or what compiles it. Checkouts that share a target folder have different
/// sources at the same time, so this is about contents and not about times.
fn fingerprint(
    root: &Path,
    folders: &[&str],
    extensions: &[&str],
    compiler: impl Hash,
) -> anyhow::Result<String> {
    let mut hasher = DefaultHasher::new();
    compiler.hash(&mut hasher);
    for folder in folders {
        for extension in extensions {
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
    use std::collections::BTreeSet;

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
        let print = || fingerprint(root, &RUST_SOURCES, &RUST_EXTENSIONS, &Toolchain::Rustup).unwrap();

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
    fn a_program_is_built_again_when_a_source_changed_or_its_module_is_gone() {
        let guests = tempfile::tempdir().unwrap();
        let module = guests.path().join("a.wasm");
        let built = |print: &str| {
            let mut built = false;
            unless_built(guests.path(), "group", &["a"], print, |folder| {
                built = true;
                Ok(std::fs::write(folder.join("a.wasm"), print)?)
            })
            .unwrap();
            built
        };
        assert!(built("first"));
        assert_eq!(std::fs::read_to_string(&module).unwrap(), "first");
        assert!(!built("first"));
        assert!(built("second"));
        assert_eq!(std::fs::read_to_string(&module).unwrap(), "second");
        std::fs::remove_file(&module).unwrap();
        assert!(built("second"));
    }

    #[test]
    fn every_program_that_is_built_is_one_that_is_called_or_an_olin_one() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
        let calls: toml::Table =
            std::fs::read_to_string(examples.join("calls.toml")).unwrap().parse().unwrap();
        let called: BTreeSet<&str> = calls["program"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["name"].as_str().unwrap())
            .collect();
        let others = languages::PROGRAMS.map(|program| program.name);
        let built: BTreeSet<&str> = [&rust::HTTP[..], &rust::COMMANDS, &rust::COMMAND_COMPONENTS, &others]
            .concat()
            .into_iter()
            .collect();
        assert_eq!(called, built);
        for name in &built {
            assert!(examples.join(name).join("README.md").is_file(), "{name} has no README.md");
        }
    }
}
