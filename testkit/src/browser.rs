//! Where the packages of Node.js are that tests use: `playwright-core`, `@axe-core/playwright`, `oidc-provider`.

use std::path::PathBuf;
use std::time::SystemTime;

/// The variable that names their folder; `cargo xtask test` sets it.
const VARIABLE: &str = "WASMCLOUD_TEST_BROWSER";

/// The folder that `cargo xtask setup` has installed them in: its `node_modules` has them. Without the variable it is
/// the newest `browser-…` in `<target>/tools` that is whole.
///
/// # Panics
/// If they are not installed.
pub fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        return folder.into();
    }
    let program = std::env::current_exe().unwrap();
    // <target>/debug/deps/it-…
    let tools = program.ancestors().nth(3).unwrap().join("tools");
    let entries = std::fs::read_dir(&tools).into_iter().flatten().flatten();
    let ready =
        |folder: &PathBuf| std::fs::metadata(folder.join("ready")).and_then(|file| file.modified()).ok();
    let whole: Option<(SystemTime, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("browser-")))
        .filter_map(|path| Some((ready(&path)?, path)))
        .max();
    whole.unwrap_or_else(|| panic!("nothing in {}: run `cargo xtask setup`", tools.display())).1
}
