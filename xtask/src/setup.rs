//! What a machine needs: looked for, named, and installed where that is allowed.

use std::path::Path;

use anyhow::bail;

use crate::browser::Browser;
use crate::guests::{Toolbox, Toolchain};
use crate::process::{Command, on_path};
use crate::project::Project;
use crate::tools;

/// Something that the tasks need.
struct Need {
    /// What it is, for people.
    what: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// How to get it elsewhere.
    elsewhere: &'static str,
    /// Whether it is there.
    met: fn(&Project) -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        what: "a C compiler",
        packages: &["gcc", "libc6-dev"],
        elsewhere: "install gcc or clang",
        met: |_| !on_path("cc").is_empty(),
    },
    Need {
        what: "rustfmt and clippy",
        packages: &[],
        elsewhere: "run `rustup component add rustfmt clippy`",
        met: |project| {
            let there = |tool: &str| project.cargo([tool, "--version"]).answer().is_some();
            there("fmt") && there("clippy")
        },
    },
    Need {
        what: "a Rust that compiles for wasm32-unknown-unknown and wasm32-wasip1",
        packages: &["rustc-web", "cargo-web", "rust-web-src", "lld", "wasi-libc"],
        elsewhere: "run `rustup target add wasm32-unknown-unknown wasm32-wasip1`",
        met: |project| Toolchain::find(project).is_some(),
    },
    Need {
        what: "a Python that installs packages, for the examples in other languages",
        packages: &["python3", "python3-venv"],
        elsewhere: "install Python 3.10 or newer, with venv and pip",
        met: |_| Command::new("python3").args(["-c", "import ensurepip, venv"]).answer().is_some(),
    },
    Need {
        what: "Node.js, for the examples in JavaScript and AssemblyScript, and for tests in a browser",
        packages: &["nodejs", "npm"],
        elsewhere: "install Node.js 20 or newer, with npm",
        met: |_| {
            let new_enough = "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)";
            Command::new("node").args(["-e", new_enough]).answer().is_some() && !on_path("npm").is_empty()
        },
    },
    Need {
        what: "Chromium, in which the panel is tested",
        packages: &["chromium"],
        elsewhere: "install Chromium",
        met: |_| !on_path("chromium").is_empty(),
    },
    Need {
        what: "PostgreSQL's server programs",
        packages: &["postgresql"],
        elsewhere: "install PostgreSQL 14 or newer",
        met: |_| postgres_is_installed(),
    },
    Need {
        what: "libfaketime, by which tests move a process's clock",
        packages: &["libfaketime"],
        elsewhere: "install libfaketime",
        met: |_| libfaketime_is_installed(),
    },
    Need {
        what: "nginx, which stands before two of each process in tests",
        packages: &["nginx-light"],
        elsewhere: "install nginx",
        met: |_| !on_path("nginx").is_empty() || Path::new("/usr/sbin/nginx").is_file(),
    },
];

/// Sees to everything that the tasks need.
///
/// # Errors
/// Names what is missing and could not be installed, with the command that would do it.
pub fn run(project: &Project) -> anyhow::Result<()> {
    let missing = unmet(project);
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    if !packages.is_empty() && may_install_packages() {
        eprintln!("    installing {}", packages.join(" "));
        install_packages(&packages)?;
    }
    let missing = unmet(project);
    if !missing.is_empty() {
        bail!("{}", report(&missing));
    }
    Toolbox::new(project).install()?;
    Browser::new(project).install()?;
    if tools::typos_installed(project).is_none()
        && let Err(error) = tools::install_typos(project)
    {
        eprintln!("    typos cannot be installed, its check will be skipped: {error:#}");
    }
    Ok(())
}

fn unmet(project: &Project) -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| !(need.met)(project)).collect()
}

/// What is missing, one line a need, and what to do about it.
fn report(missing: &[&Need]) -> String {
    let mut lines = vec!["something is missing on this machine:".to_owned()];
    for need in missing {
        let mut line = format!("  {}: {}", need.what, need.elsewhere);
        if !need.packages.is_empty() {
            line += &format!(", or as root on Debian `apt-get install {}`", need.packages.join(" "));
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn may_install_packages() -> bool {
    let root = Command::new("id").arg("-u").answer().is_some_and(|id| id.trim() == "0");
    root && !on_path("apt-get").is_empty()
}

fn install_packages(packages: &[&str]) -> anyhow::Result<()> {
    let apt = || Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").arg("-qq");
    apt().arg("update").run()?;
    apt().args(["install", "--yes", "--no-install-recommends"]).args(packages).run()
}

/// On the path, or where Debian keeps it: a folder for each version, off the path.
fn postgres_is_installed() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    !on_path("initdb").is_empty()
        || versions.into_iter().any(|entry| entry.path().join("bin/initdb").is_file())
}

fn libfaketime_is_installed() -> bool {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    folders.iter().any(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_thing_is_named_with_both_ways_to_get_it() {
        let compiler = NEEDS.iter().find(|need| need.what.contains("C compiler")).unwrap();
        assert_eq!(
            report(&[compiler]),
            "something is missing on this machine:\n  a C compiler: install gcc or clang, \
             or as root on Debian `apt-get install gcc libc6-dev`"
        );
    }

    #[test]
    fn what_no_package_brings_is_named_without_one() {
        let components = NEEDS.iter().find(|need| need.packages.is_empty()).unwrap();
        assert!(report(&[components]).ends_with("run `rustup component add rustfmt clippy`"));
    }
}
