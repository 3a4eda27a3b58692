//! Programs in other languages: one file each, one command each.

use std::path::Path;

use anyhow::Context as _;

use super::toolbox::Toolbox;

/// One program: its name, which is also its folder's, and how it is built.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The folder in `examples`, and the module's name.
    pub name: &'static str,
    build: fn(&Toolbox, &Paths<'_>) -> anyhow::Result<()>,
}

/// Where a program is built.
#[derive(Debug)]
struct Paths<'a> {
    /// Its sources.
    sources: &'a Path,
    /// The module to write.
    module: &'a Path,
    /// For what the compiler wants to find again.
    cache: &'a Path,
}

/// Every program.
pub const PROGRAMS: [Program; 6] = [
    Program { name: "assemblyscript-cgi", build: assemblyscript },
    Program { name: "c-cgi", build: c },
    Program { name: "go-cgi", build: go },
    Program { name: "javascript-http", build: javascript },
    Program { name: "python-http", build: python },
    Program { name: "zig-cgi", build: zig },
];

impl Program {
    /// Builds it from the sources, into `NAME.wasm` in the folder.
    ///
    /// # Errors
    /// If it does not compile.
    pub fn build(&self, toolbox: &Toolbox, sources: &Path, folder: &Path) -> anyhow::Result<()> {
        let cache = folder.join("cache");
        std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let module = folder.join(self.name).with_extension("wasm");
        (self.build)(toolbox, &Paths { sources, module: &module, cache: &cache })
    }
}

fn c(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    let cc = toolbox.zig(paths.cache).args(["cc", "-target", "wasm32-wasi", "-Oz", "-s"]);
    let cc = cc.args(["-Wall", "-Wextra", "-Werror", "-o"]);
    cc.arg(paths.module).arg(paths.sources.join("cgi.c")).run()
}

fn zig(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    let zig = toolbox.zig(paths.cache).args(["build-exe", "-target", "wasm32-wasi", "-O", "ReleaseSmall"]);
    zig.arg(format!("-femit-bin={}", paths.module.display())).arg(paths.sources.join("cgi.zig")).run()
}

fn go(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    let go = toolbox.go(paths.cache).current_dir(paths.sources);
    let go = go.env("GOOS", "wasip1").env("GOARCH", "wasm").args(["build", "-trimpath", "-ldflags=-s", "-o"]);
    go.arg(paths.module).arg(".").run()
}

fn javascript(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    let command = toolbox.componentize_js().arg(paths.sources.join("app.js")).arg("--wit");
    command.arg(paths.sources.join("wit")).arg("-o").arg(paths.module).run()
}

fn python(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    let command = toolbox.componentize_py().args(["app", "-p"]).arg(paths.sources);
    command.arg("-o").arg(paths.module).run()
}

fn assemblyscript(toolbox: &Toolbox, paths: &Paths<'_>) -> anyhow::Result<()> {
    toolbox.asc().arg(paths.sources.join("cgi.ts")).args(["-Oz", "-o"]).arg(paths.module).run()
}
