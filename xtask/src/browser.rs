//! What tests of the panel need besides a browser: a driver for it, a checker of accessibility, and a provider of OpenID
//! Connect to sign in at, installed from npm's packages into `<target>/tools`. Their versions are pinned.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::process::Command;
use crate::project::Project;

/// What is installed with npm. The second wants the first, of any version.
const NPM_PACKAGES: [&str; 3] =
    ["playwright-core@1.65.1", "@axe-core/playwright@4.14.0", "oidc-provider@8.8.1"];

/// The variable by which tests are told the folder. One that is run without it looks into `<target>/tools` itself, as
/// `testkit/src/browser.rs` does.
pub const VARIABLE: &str = "WASMCLOUD_TEST_BROWSER";

/// The variable by which a story is told where it keeps the pictures of the docs: `cli/tests/it/stories/panel/mod.rs`.
pub const SCREENSHOTS: &str = "WASMCLOUD_SCREENSHOTS";

/// The folder of these packages. That of other versions is another one, and has another hash.
#[derive(Clone, Debug)]
pub struct Browser {
    folder: PathBuf,
}

impl Browser {
    /// Where the packages are, or will be.
    pub fn new(project: &Project) -> Browser {
        let mut hasher = DefaultHasher::new();
        NPM_PACKAGES.hash(&mut hasher);
        let folder = project.target.join("tools").join(format!("browser-{:016x}", hasher.finish()));
        Browser { folder }
    }

    /// The folder that has `node_modules` in it.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Installs them, if they are not.
    ///
    /// # Errors
    /// If there is no npm, or a package cannot be had.
    pub fn install(&self) -> anyhow::Result<()> {
        let ready = self.folder.join("ready");
        if ready.is_file() {
            return Ok(());
        }
        eprintln!("    installing {}", NPM_PACKAGES.join(" "));
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        Command::new("npm")
            // The browser is the machine's own.
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
            .args(["install", "--no-audit", "--no-fund", "--no-save", "--no-package-lock"])
            .args(["--loglevel=error", "--prefix"])
            .arg(&self.folder)
            .args(NPM_PACKAGES)
            .run()?;
        std::fs::write(&ready, "").with_context(|| format!("cannot write {}", ready.display()))
    }
}
